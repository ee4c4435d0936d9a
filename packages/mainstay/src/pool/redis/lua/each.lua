-- Does one thing to each of several machines, in one step. Mirrors the transitions that take names: check, use (reclaim),
-- hold and drain, terminate, lead (retirement).
--
-- input   { verb, fence?, vms: [{ name, … }], … what the verb needs }
-- result  { refused: [{ name, because }] }; error 'fenced' | 'not_found' | 'lease_lost', with the name

if not may_write(input.fence) then return fail('fenced') end

local ended = {}
local verbs = {}

local CHECKABLE = { 'got_ip', 'ready', 'in_use', 'check_health_failed' }

function verbs.startCheck(vm, each)
  if not one_of(vm.state, CHECKABLE) then return 'it is ' .. vm.state end
  local to = vm.state == 'in_use' and 'in_use' or 'check_health'
  local after = in_state(vm, to)
  after.check_from = vm.state
  after.check_from_since = vm.state_since
  after.check_from_started = vm.last_health_check
  after.check_from_next = vm.next_check_at
  after.last_health_check = now
  after.next_check_at = each.nextCheckAt
  save(vm, after)
  tell_vm('vm.check_started', vm, to)
end

function verbs.giveUpCheck(vm)
  if vm.state ~= 'check_health' then return 'it is ' .. vm.state end
  if now - (vm.last_health_check or vm.state_since) <= rules_of(vm.group).checkMaxTimeMs then
    return 'its check still has time'
  end
  local after = in_state(vm, 'check_health_failed')
  clear(after, CHECK)
  save(vm, after)
  tell_vm('vm.check_failed', vm, 'check_health_failed', 'the check did not end in time')
end

function verbs.recheck(vm)
  if not one_of(vm.state, CHECKABLE) then return 'it is ' .. vm.state end
  local after = copy(vm)
  after.next_check_at = now
  save(vm, after)
end

-- Why a machine is taken back from its holder; 'detach' when it is kept for another worker; nil when it is not.
local function loss_of(vm)
  local rules = rules_of(vm.group)
  if vm.preempt_at and now >= vm.preempt_at then return 'a more urgent request needed it' end
  if not vm.lease_expires_at then return nil end
  local silent = now - vm.lease_expires_at - rules.graceMs
  if silent <= 0 then return nil end
  if not vm.reattach then return 'its lease expired' end
  if not vm.detached_at then return 'detach' end
  return silent > rules.reattachMs and 'nobody came back for it' or nil
end

function verbs.reclaim(vm)
  if vm.state ~= 'in_use' then return 'it is ' .. vm.state end
  local why = loss_of(vm)
  if not why then return 'its lease is alive' end
  if why == 'detach' then
    local after = copy(vm)
    after.detached_at = now
    save(vm, after)
    tell_vm('vm.detached', vm, nil, 'its worker is silent')
    return
  end
  terminate_one(vm, why)
  ended[#ended + 1] = vm
end

function verbs.unhold(vm)
  if vm.state ~= 'in_use' and vm.state ~= 'held' then return 'it is ' .. vm.state end
  if not vm.hold_until then return 'it is not on hold' end
  local after = copy(vm)
  clear(after, HOLD)
  if vm.state == 'in_use' then
    save(vm, after)
    tell_vm('vm.unheld', vm)
  else
    come_to_rest(vm, after, function(state) tell_vm('vm.unheld', vm, state) end)
  end
end

local IDLE = { 'got_ip', 'check_health', 'check_health_failed', 'ready', 'drained', 'standby' }

function verbs.drain(vm)
  if vm.state == 'terminating' or vm.state == 'stuck' then return 'it is ' .. vm.state end
  local idle = one_of(vm.state, IDLE)
  local aside = idle and input.mode == 'keep'
  local after = in_state(vm, aside and 'drained' or vm.state)
  after.drain = input.mode
  if aside then clear(after, CHECK) end
  save(vm, after)
  tell_vm('vm.draining', vm, after.state, input.mode)
  if idle and input.mode == 'terminate' then
    terminate_one(after, 'drained')
    ended[#ended + 1] = after
  end
end

function verbs.undrain(vm)
  if vm.state == 'terminating' or vm.state == 'stuck' then return 'it is ' .. vm.state end
  if not vm.drain then return 'it is not drained' end
  local after = copy(vm)
  after.drain = nil
  if vm.state == 'drained' then
    come_to_rest(vm, after, function(state) tell_vm('vm.undrained', vm, state) end)
  else
    save(vm, after)
    tell_vm('vm.undrained', vm)
  end
end

local allowed = some(input.allowedFrom)

function verbs.terminate(vm)
  if allowed and not one_of(vm.state, allowed) then return 'it is ' .. vm.state end
  if vm.state == 'terminating' and not allowed then return 'it is terminating already' end
  local sure = some(input.token) or input.force == true or (allowed and one_of('in_use', allowed))
  if vm.state == 'in_use' and rules_of(vm.group).protectInUse and not sure then return 'it is in use' end
  terminate_one(vm, input.reason)
  ended[#ended + 1] = vm
end

function verbs.terminationAsked(vm, each)
  if vm.state ~= 'terminating' then return 'it is ' .. vm.state end
  local after = copy(vm)
  after.terminate_attempts = (vm.terminate_attempts or 0) + 1
  after.terminate_again_at = each.againAt
  save(vm, after)
end

function verbs.postponeRetirement(vm)
  local after = copy(vm)
  after.retire_after = input.untilMs
  save(vm, after)
end

if some(input.token) then
  for index = 1, #input.vms do
    local name = input.vms[index].name
    local vm = load(name)
    if not vm then return fail('not_found', { name = name }) end
    if vm.state ~= 'in_use' or vm.lease_token ~= input.token then return fail('lease_lost', { name = name }) end
  end
end

local refused = {}
for index = 1, #input.vms do
  local each = input.vms[index]
  local vm = load(each.name)
  local because = 'it is not in the pool'
  if vm then because = verbs[input.verb](vm, each) end
  if because then refused[#refused + 1] = { name = each.name, because = because } end
end
for index = 1, #ended do serve_freed(ended[index]) end
return answer({ refused = refused })
