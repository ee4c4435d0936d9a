-- Machines and their indexes. Mirrors deadlines.ts, index-entry.ts, placements.ts and settle.ts: the same answers.

-- How a field is kept: a number, or, where the reference wrote it, seconds. All others are text.
local KIND = {
  state_since = 'n', created_at = 'n', bound_since = 'n', lease_ms = 'n', lease_expires_at = 'n', detached_at = 'n',
  priority = 'n', preempt_at = 'n', check_passed_at = 'n', check_fails = 'n', next_check_at = 'n', builds_count = 'n',
  check_from_since = 'n', check_from_started = 'n', check_from_next = 'n', hold_until = 'n', retire_after = 'n',
  terminate_attempts = 'n', terminate_again_at = 'n',
  in_use_since = 's', last_health_check = 's', last_release = 's', terminating_since = 's',
}

local USE = {
  'used_by_worker', 'used_by_pid', 'in_use_since', 'request_id', 'task_id', 'build_id', 'chroot', 'arch', 'lease_token',
  'lease_ms', 'lease_expires_at', 'detached_at', 'reattach', 'priority', 'preemptible', 'preempt_at',
}
local HOLD = { 'hold_until', 'hold_reason', 'hold_by', 'hold_owner' }
local CHECK = { 'check_from', 'check_from_since', 'check_from_started', 'check_from_next' }

local function vm_key(name)
  return P .. 'vm_instance:hset::' .. name
end

local any_refused = nil

-- Whether an adoption refused the record of this name (C18): it belongs to nobody until somebody has mended it.
local function is_refused(name)
  if any_refused == nil then any_refused = call('EXISTS', P .. 'n:refused') == 1 end
  return any_refused and call('HEXISTS', P .. 'n:refused', name) == 1
end

-- A machine's record; nil when there is none, one that lacks what it cannot do without (C19), or one that was refused.
local function load(name)
  if is_refused(name) then return nil end
  local flat = call('HGETALL', vm_key(name))
  if #flat == 0 then return nil end
  local vm = {}
  for index = 1, #flat, 2 do
    local field, value = flat[index], flat[index + 1]
    local kind = KIND[field]
    if kind == 'n' then
      value = tonumber(value)
    elseif kind == 's' then
      value = seconds_to_ms(value)
    end
    vm[field] = value
  end
  if not vm.group or not vm.state then return nil end
  vm.vm_name = name
  vm.state_since = vm.state_since or 0
  vm.created_at = vm.created_at or 0
  return vm
end

local function field_text(field, value)
  local kind = KIND[field]
  if kind == 'n' then return integer(value) end
  if kind == 's' then return ms_to_seconds(value) end
  return value
end

-- A machine as it is returned.
local function flat(vm)
  local list = {}
  for field, value in pairs(vm) do
    list[#list + 1] = field
    list[#list + 1] = field_text(field, value)
  end
  return list
end

local function min(a, b)
  if a == nil or b < a then return b end
  return a
end

local function max(a, b)
  if a > b then return a end
  return b
end

-- The earliest time at which the machine should be replaced.
local function retirement(vm, rules)
  local at = nil
  if rules.maxAgeMs > 0 then at = min(at, vm.created_at + rules.maxAgeMs + 1) end
  if rules.maxUses > 0 and (vm.builds_count or 0) >= rules.maxUses then at = min(at, vm.last_release or vm.created_at) end
  if rules.maxReadyAgeMs > 0 and vm.state == 'ready' and not vm.bound_to_user then
    at = min(at, (vm.last_release or vm.created_at) + rules.maxReadyAgeMs + 1)
  end
  if rules.maxTimeInSandboxMs > 0 and vm.bound_since then at = min(at, vm.bound_since + rules.maxTimeInSandboxMs + 1) end
  return at and max(at, vm.retire_after or 0)
end

-- When the machine has to be looked at; nil for never.
local function next_deadline(vm, rules)
  local state = vm.state
  if state == 'requested' or state == 'building' then return vm.created_at + rules.launchTimeoutMs + 1 end
  if state == 'starting' then return vm.state_since + rules.launchTimeoutMs + 1 end
  if state == 'got_ip' or state == 'check_health_failed' then
    return min(retirement(vm, rules), vm.next_check_at or vm.state_since)
  end
  if state == 'check_health' then return (vm.last_health_check or vm.state_since) + rules.checkMaxTimeMs + 1 end
  if state == 'ready' then
    local at
    if vm.check_passed_at and vm.check_passed_at > server_started() then
      at = vm.next_check_at or vm.state_since
    else
      at = vm.last_release or vm.created_at
    end
    if vm.bound_to_user and vm.last_release then at = min(at, vm.last_release + rules.dirtyTimeoutMs + 1) end
    return min(retirement(vm, rules), at)
  end
  if state == 'in_use' then
    local at = nil
    if vm.lease_expires_at then
      local window = 0
      if vm.detached_at then window = rules.reattachMs end
      at = min(at, vm.lease_expires_at + rules.graceMs + window + 1)
    end
    if vm.preempt_at then at = min(at, vm.preempt_at) end
    if rules.checkInUse then at = min(at, vm.next_check_at or vm.state_since) end
    return at
  end
  if state == 'resetting' then return vm.state_since + rules.resetTimeoutMs + 1 end
  if state == 'held' then return vm.hold_until or vm.state_since end
  if state == 'standby' then return retirement(vm, rules) end
  if state == 'terminating' then return vm.terminate_again_at or vm.terminating_since or vm.state_since end
  return nil
end

-- Where a machine would wait to be handed out, with its score, if it is not used up; nil for none.
local function fit_in(vm)
  if vm.state ~= 'ready' or (vm.check_fails or 0) > 0 then return nil end
  local fit = vm.check_passed_at or 0
  if not vm.bound_to_user then return 'n:free::' .. part(vm.group), fit end
  return 'n:idle::' .. part(vm.group) .. part(vm.bound_to_user) .. part(vm.sandbox or ''), fit
end

-- In which sorted index a machine waits to be handed out, with its score; nil for none. One that served its uses is given to
-- nobody any more.
local function offered_in(vm)
  local key, score = fit_in(vm)
  if not key then return nil end
  local most = rules_of(vm.group).maxUses
  if most > 0 and (vm.builds_count or 0) >= most then return nil end
  return key, score
end

local function evict_in(vm)
  if not vm.bound_to_user or (vm.state ~= 'ready' and vm.state ~= 'check_health_failed') then return nil end
  return 'n:evict::' .. part(vm.group) .. part(vm.bound_to_user), vm.last_release or 0
end

local function preempt_in(vm)
  if vm.state ~= 'in_use' or not vm.preemptible or vm.preempt_at then return nil end
  return 'n:preempt::' .. part(vm.group), vm.priority or 0
end

-- Every sorted index in which a machine stands, by its record alone: { key, score } each.
local function places_of(vm)
  local places = { { 'n:names', 0 }, { 'n:state::' .. part(vm.group) .. part(vm.state), vm.state_since } }
  local function add(key, score)
    if key then places[#places + 1] = { key, score } end
  end
  add(offered_in(vm))
  add(evict_in(vm))
  add(preempt_in(vm))
  local deadline = next_deadline(vm, rules_of(vm.group))
  add(deadline and 'n:due', deadline)
  add(vm.vm_ip and 'n:ip::' .. vm.vm_ip, 0)
  add(vm.task_id and 'n:task::' .. vm.task_id, 0)
  add(vm.request_id and 'n:leases::' .. vm.request_id, 0)
  return places
end

-- Against whose limits a machine counts.
local function bound_of(vm)
  if vm.state == 'stuck' then return nil end
  return vm.bound_to_user
end

local function shift(name, old_key, old_score, key, score)
  if old_key and old_key ~= key then call('ZREM', P .. old_key, name) end
  if key and (old_key ~= key or old_score ~= score) then call('ZADD', P .. key, integer(score), name) end
end

local function shift_named(prefix, name, old, new)
  if old == new then return end
  if old then call('ZREM', P .. prefix .. old, name) end
  if new then call('ZADD', P .. prefix .. new, 0, name) end
end

local function recount(key, old, new)
  if old == new then return end
  if old and call('HINCRBY', P .. key, old, -1) == 0 then call('HDEL', P .. key, old) end
  if new then call('HINCRBY', P .. key, new, 1) end
end

-- One who is nobody and nowhere, for machines that come or go.
local NOBODY = {}

-- Moves a machine in the indexes from where it was to where it belongs; either may be nil. Keys are made only where
-- something changes.
local function place(before, after)
  local old, new = before or NOBODY, after or NOBODY
  local vm = after or before
  local name, group = vm.vm_name, vm.group
  if not before then call('ZADD', P .. 'n:names', 0, name) end
  if not after then call('ZREM', P .. 'n:names', name) end
  if old.state ~= new.state or old.state_since ~= new.state_since then
    local states = 'n:state::' .. part(group)
    local left = old.state and states .. part(old.state)
    local entered = new.state and states .. part(new.state)
    shift(name, left, old.state_since, entered, new.state_since)
  end
  -- Other rules may have kept it there, or away from there, so both are written whether they seem to change or not.
  local old_key, old_score = fit_in(old)
  local key, score = offered_in(new)
  shift(name, old_key, nil, key, score)
  old_key, old_score = evict_in(old)
  key, score = evict_in(new)
  shift(name, old_key, old_score, key, score)
  old_key, old_score = preempt_in(old)
  key, score = preempt_in(new)
  shift(name, old_key, old_score, key, score)
  -- The deadline may have been kept by other rules, so it is written whether it seems to change or not.
  local deadline = after and next_deadline(after, rules_of(group))
  if deadline then call('ZADD', P .. 'n:due', integer(deadline), name) else call('ZREM', P .. 'n:due', name) end
  shift_named('n:ip::', name, old.vm_ip, new.vm_ip)
  shift_named('n:task::', name, old.task_id, new.task_id)
  shift_named('n:leases::', name, old.request_id, new.request_id)

  local was_held, is_held = old.state == 'in_use', new.state == 'in_use'
  local was_bound, is_bound = bound_of(old), bound_of(new)
  if was_held ~= is_held or old.bound_to_user ~= new.bound_to_user or old.sandbox ~= new.sandbox then
    local was_in = part(old.bound_to_user or '') .. part(old.sandbox or '')
    local is_in = part(new.bound_to_user or '') .. part(new.sandbox or '')
    recount('n:held:user', was_held and (old.bound_to_user or ''), is_held and (new.bound_to_user or ''))
    recount('n:held:sandbox', was_held and was_in, is_held and is_in)
  end
  recount('n:held:arch', was_held and old.arch or nil, is_held and new.arch or nil)
  if was_bound ~= is_bound or old.sandbox ~= new.sandbox then
    recount('n:bound:user::' .. part(group), was_bound, is_bound)
    local was_in = was_bound and part(was_bound) .. part(old.sandbox or '')
    local is_in = is_bound and part(is_bound) .. part(new.sandbox or '')
    recount('n:bound:sandbox::' .. part(group), was_in, is_in)
  end
  local was_leaving = old.state == 'terminating' and was_bound or nil
  local is_leaving = new.state == 'terminating' and is_bound or nil
  if was_leaving ~= is_leaving then recount('n:leaving::' .. part(group), was_leaving, is_leaving) end
  recount('n:holds', old.hold_until and old.hold_owner, new.hold_until and new.hold_owner)
end

-- Writes a machine; `before` is what was loaded, nil for a new one.
local function save(before, after)
  local set, unset = {}, {}
  for field, value in pairs(after) do
    if before == nil or before[field] ~= value then
      set[#set + 1] = field
      set[#set + 1] = field_text(field, value)
    end
  end
  if before then
    for field in pairs(before) do
      if after[field] == nil then unset[#unset + 1] = field end
    end
  else
    call('SADD', P .. 'vm_pool:set::' .. after.group, after.vm_name)
    if is_refused(after.vm_name) then call('HDEL', P .. 'n:refused', after.vm_name) end
  end
  local key = vm_key(after.vm_name)
  if #set > 0 then call('HSET', key, unpack(set)) end
  if #unset > 0 then call('HDEL', key, unpack(unset)) end
  place(before, after)
end

local function copy(vm)
  local other = {}
  for field, value in pairs(vm) do other[field] = value end
  return other
end

local function clear(vm, fields)
  for index = 1, #fields do vm[fields[index]] = nil end
end

-- A copy in another state, with the time when it entered it.
local function in_state(vm, state)
  local after = copy(vm)
  if state ~= vm.state then
    after.state = state
    after.state_since = now
  end
  return after
end

-- Tells the worker who holds a machine, on the channel of its address, that the machine is gone.
local function interrupt(vm)
  if vm.state == 'in_use' and vm.used_by_worker and vm.vm_ip then
    call('PUBLISH', P .. 'interrupt_build:pubsub::' .. vm.vm_ip, 'vm died')
  end
end

-- Marks a machine for destruction; whoever held it has lost it.
local function terminate_one(vm, reason)
  local after = in_state(vm, 'terminating')
  clear(after, USE)
  clear(after, HOLD)
  clear(after, CHECK)
  after.terminating_since = now
  after.terminate_reason = reason
  if vm.state ~= 'terminating' then after.terminate_attempts = nil end
  after.terminate_again_at = nil
  save(vm, after)
  interrupt(vm)
  tell_vm('vm.terminating', vm, 'terminating', reason)
  return after
end

-- Where a machine comes to rest: the state, and the reason when it is to end.
local function settle(vm)
  if vm.hold_until and vm.hold_until > now then return 'held' end
  local rules = rules_of(vm.group)
  local drain = vm.drain or rules.draining
  if drain == 'terminate' then return 'terminating', 'drained' end
  if drain == 'keep' then return 'drained' end
  if vm.bound_to_user and vm.last_release then
    if rules.dirtyPolicy == 'discard' then return 'terminating', 'used once' end
    if rules.dirtyPolicy == 'reset' then return 'resetting' end
  end
  if (vm.check_fails or 0) > 0 then return 'check_health_failed' end
  if not vm.check_passed_at and (vm.builds_count or 0) == 0 then return 'got_ip' end
  return 'ready'
end

local function one_of(text, list)
  for index = 1, #list do
    if list[index] == text then return true end
  end
  return false
end

-- How many machines of a group are in some states.
local function count_states(group, states)
  local sum = 0
  for index = 1, #states do sum = sum + call('ZCARD', P .. 'n:state::' .. part(group) .. part(states[index])) end
  return sum
end
