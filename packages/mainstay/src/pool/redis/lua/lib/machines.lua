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

-- A machine's record; nil when there is none, or one that lacks what it cannot do without (C19).
local function load(name)
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

-- Every index with the score, and every counter with the field, in which a machine stands.
local function placements(vm)
  local state = vm.state
  local group = part(vm.group)
  local bound = vm.bound_to_user
  local owner = part(bound or '')
  local of_sandbox = owner .. part(vm.sandbox or '')
  local sets, counts = { ['n:names'] = 0 }, {}
  sets['n:state::' .. group .. part(state)] = vm.state_since
  if state == 'ready' and (vm.check_fails or 0) == 0 then
    local fit = vm.check_passed_at or 0
    if bound then sets['n:idle::' .. group .. of_sandbox] = fit else sets['n:free::' .. group] = fit end
  end
  if bound and (state == 'ready' or state == 'check_health_failed') then
    sets['n:evict::' .. group .. owner] = vm.last_release or 0
  end
  sets['n:due'] = next_deadline(vm, rules_of(vm.group))
  if vm.vm_ip then sets['n:ip::' .. vm.vm_ip] = 0 end
  if vm.task_id then sets['n:task::' .. vm.task_id] = 0 end
  if vm.request_id then sets['n:leases::' .. vm.request_id] = 0 end
  if state == 'in_use' then
    if vm.preemptible and not vm.preempt_at then sets['n:preempt::' .. group] = vm.priority or 0 end
    counts['n:held:user'] = bound or ''
    counts['n:held:sandbox'] = of_sandbox
    counts['n:held:arch'] = vm.arch
  end
  if bound and state ~= 'stuck' then
    counts['n:bound:user::' .. group] = bound
    counts['n:bound:sandbox::' .. group] = of_sandbox
    if state == 'terminating' then counts['n:leaving::' .. group] = bound end
  end
  if vm.hold_until then counts['n:holds'] = vm.hold_owner end
  return sets, counts
end

local function count(key, field, by)
  if call('HINCRBY', P .. key, field, by) == 0 then call('HDEL', P .. key, field) end
end

local EMPTY = {}

-- Moves a machine in the indexes from where it was to where it belongs; either may be nil.
local function place(before, after)
  local old_sets, old_counts, sets, counts = EMPTY, EMPTY, EMPTY, EMPTY
  if before then old_sets, old_counts = placements(before) end
  if after then sets, counts = placements(after) end
  local name = (after or before).vm_name
  for key in pairs(old_sets) do
    if sets[key] == nil then call('ZREM', P .. key, name) end
  end
  for key, score in pairs(sets) do
    -- The deadline may have been kept by other rules.
    if old_sets[key] ~= score or key == 'n:due' then call('ZADD', P .. key, integer(score), name) end
  end
  for key, field in pairs(old_counts) do
    if counts[key] ~= field then count(key, field, -1) end
  end
  for key, field in pairs(counts) do
    if old_counts[key] ~= field then count(key, field, 1) end
  end
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
