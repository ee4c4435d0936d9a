-- One change of one machine, by its verb. Mirrors transitions/spawn.ts, standby.ts, hold.ts and terminate.ts.
--
-- input   { verb, name, fence?, … what the verb needs }
-- result  { done }; error 'fenced' | 'not_found' | 'state', with the state and what cannot be done | 'exists' | 'group' |
--         'hold', with why

if not may_write(input.fence) then return fail('fenced') end
local name = input.name

local function wrong(vm, what)
  return fail('state', { state = vm.state, what = what })
end

local function drop(vm, reason)
  call('DEL', vm_key(name))
  call('SREM', P .. 'vm_pool:set::' .. vm.group, name)
  place(vm, nil)
  tell_vm('vm.removed', vm, false, reason)
  serve_freed(vm)
end

local verbs = {}

function verbs.building(vm)
  if vm.state ~= 'requested' and vm.state ~= 'building' then return wrong(vm, 'be built') end
  local after = in_state(vm, 'building')
  after.provider = input.provider
  after.provider_id = some(input.providerId) or vm.provider_id
  save(vm, after)
  tell_vm('vm.building', vm, 'building')
end

local SPAWNING = { 'requested', 'building', 'starting' }

function verbs.spawned(vm)
  if not one_of(vm.state, SPAWNING) then return wrong(vm, 'join the pool') end
  local after = in_state(vm, 'got_ip')
  after.vm_ip = input.ip
  after.provider_id = some(input.providerId) or vm.provider_id
  after.provider_data = some(input.providerData) or vm.provider_data
  after.check_passed_at = nil
  after.next_check_at = nil
  save(vm, after)
  tell_vm('vm.added', after, 'got_ip', nil, vm.state)
end

function verbs.spawnFailed(vm)
  if not one_of(vm.state, SPAWNING) then return wrong(vm, 'fail to start') end
  tell_vm('vm.spawn_failed', vm, input.destroy and 'terminating' or false, input.reason)
  if input.destroy then terminate_one(vm, input.reason) else drop(vm, input.reason) end
end

function verbs.standBy(vm)
  if vm.state ~= 'ready' and vm.state ~= 'got_ip' and vm.state ~= 'check_health_failed' then
    return wrong(vm, 'stand by')
  end
  if vm.bound_to_user then return wrong(vm, 'stand by: it is dirty') end
  local after = in_state(vm, 'standby')
  clear(after, CHECK)
  after.vm_ip = nil
  save(vm, after)
  tell_vm('vm.standby', vm, 'standby')
end

function verbs.wake(vm)
  if vm.state ~= 'standby' then return wrong(vm, 'be started') end
  save(vm, in_state(vm, 'starting'))
  tell_vm('vm.starting', vm, 'starting')
end

function verbs.resetDone(vm)
  if vm.state ~= 'resetting' then return wrong(vm, 'be clean again') end
  local after = in_state(vm, 'got_ip')
  clear(after, { 'bound_to_user', 'sandbox', 'bound_since', 'check_passed_at', 'check_fails', 'next_check_at' })
  after.vm_ip = some(input.ip) or vm.vm_ip
  save(vm, after)
  tell_vm('vm.reset', vm, 'got_ip')
  serve_freed(vm)
end

function verbs.hold(vm)
  local state = vm.state
  if not one_of(state, { 'got_ip', 'check_health', 'check_health_failed', 'ready', 'in_use', 'held', 'drained' }) then
    return wrong(vm, 'be put on hold')
  end
  local most = rules_of(vm.group).maxHoldMs
  if input.untilMs <= now then return fail('hold', { why = 'its end is over already' }) end
  if input.untilMs > now + most then
    return fail('hold', { why = 'a hold lasts ' .. integer(math.floor(most / 1000)) .. ' s at the most' })
  end
  local owner = some(input.owner) or vm.bound_to_user or input.by
  local quota = pool_rules().holdQuota
  local more = not vm.hold_until or vm.hold_owner ~= owner
  if more and quota > 0 and counter('n:holds', owner) >= quota then
    return fail('hold', { why = owner .. ' has ' .. integer(quota) .. ' machines on hold, which is the most' })
  end
  local to = state == 'in_use' and 'in_use' or 'held'
  local after = in_state(vm, to)
  after.hold_until = input.untilMs
  after.hold_reason = input.reason
  after.hold_by = input.by
  after.hold_owner = owner
  if to == 'held' then clear(after, CHECK) end
  save(vm, after)
  tell_vm('vm.held', vm, to, input.reason)
end

function verbs.markStuck(vm)
  if vm.state ~= 'terminating' then return wrong(vm, 'be called stuck') end
  save(vm, in_state(vm, 'stuck'))
  tell_vm('vm.stuck', vm, 'stuck', vm.terminate_reason)
  serve_freed(vm)
end

function verbs.remove(vm)
  if vm.state ~= 'terminating' and vm.state ~= 'stuck' then return wrong(vm, 'leave the pool') end
  drop(vm, vm.terminate_reason)
end

function verbs.lost(vm)
  interrupt(vm)
  drop(vm, input.reason)
end

if input.verb == 'add' then
  if call('HEXISTS', P .. 'n:config', 'group:' .. input.group) == 0 then return fail('group') end
  local existing = load(name)
  if existing or call('EXISTS', vm_key(name)) == 1 then
    return fail('exists', { group = existing and existing.group or '?' })
  end
  local vm = {
    vm_name = name, group = input.group, vm_ip = input.ip, provider = some(input.provider),
    provider_id = some(input.providerId), provider_data = some(input.providerData), state = 'got_ip',
    state_since = now, created_at = now,
  }
  save(nil, vm)
  tell_vm('vm.added', vm, nil, nil, false)
  return answer({ done = true })
end

local vm = load(name)
if not vm then return fail('not_found') end
return verbs[input.verb](vm) or answer({ done = true })
