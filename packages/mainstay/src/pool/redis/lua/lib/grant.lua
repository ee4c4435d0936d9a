-- Who gets what: requests, limits, and the handing out of machines. Mirrors limits.ts and the transitions pick and grant:
-- the same answers.

local any_waiting = call('EXISTS', P .. 'n:requests') == 1

-- The queue, defined by `queue.lua`. Its functions are made when they are first needed: most of the time nobody waits, and
-- making them costs more than handing out a machine.
local queue

local function request_of(id)
  local text = call('GET', P .. 'n:request::' .. id)
  return text and decoded(text)
end

local function load_all(names)
  local vms = {}
  for index = 1, #names do
    local vm = load(names[index])
    if vm then vms[#vms + 1] = vm end
  end
  return vms
end

-- A machine is handed out only if its last check passed after this time.
local function checked_after(rules)
  local oldest = 0
  if rules.maxCheckAgeMs > 0 then oldest = now - rules.maxCheckAgeMs - 1 end
  return max(server_started(), oldest)
end

local function newest(key, after, limit)
  return call('ZREVRANGEBYSCORE', P .. key, '+inf', '(' .. integer(after), 'LIMIT', 0, limit)
end

local function counter(key, field)
  return tonumber(call('HGET', P .. key, field) or '0')
end

-- Of two allowances the one with less; ties go to the first.
local function tighter(a, b)
  if b.count < a.count then return b end
  return a
end

local function less(allowance, taken)
  if taken == 0 then return allowance end
  return { count = max(0, allowance.count - taken), refusal = allowance.refusal }
end

local NO_LIMIT = { count = math.huge }

local function left(kind, group, limit, has)
  return { count = max(0, limit - has), refusal = { kind = kind, group = group, limit = limit, count = has } }
end

-- How many more an owner may hold over all groups. What has no limit (0) is not counted.
local function held_allowance(owner, sandbox, arch)
  local pool = pool_rules()
  local allowance = NO_LIMIT
  if (pool.maxHeldPerUser or 0) > 0 then
    allowance = left('user_limit', nil, pool.maxHeldPerUser, counter('n:held:user', owner))
  end
  if (pool.maxHeldPerSandbox or 0) > 0 then
    local has = counter('n:held:sandbox', part(owner) .. part(sandbox))
    allowance = tighter(allowance, left('sandbox_limit', nil, pool.maxHeldPerSandbox, has))
  end
  local most = arch and pool.maxHeldPerArch and pool.maxHeldPerArch[arch] or 0
  if most > 0 then allowance = tighter(allowance, left('arch_limit', nil, most, counter('n:held:arch', arch))) end
  return allowance
end

-- How many more *clean* machines of a group an owner may have: a dirty one is counted already.
local function clean_allowance(owner, sandbox, group, rules)
  local allowance = NO_LIMIT
  if rules.maxPerUser > 0 then
    allowance = left('user_limit', group, rules.maxPerUser, counter('n:bound:user::' .. part(group), owner))
  end
  if rules.maxPerSandbox > 0 then
    local has = counter('n:bound:sandbox::' .. part(group), part(owner) .. part(sandbox))
    allowance = tighter(allowance, left('sandbox_limit', group, rules.maxPerSandbox, has))
  end
  return allowance
end

-- Chooses machines for a request: all that it wants, or nil and what stands in the way. Clean ones may be kept for somebody
-- else.
local function pick(request, only_idle)
  local owner, sandbox, wanted = request.owner, request.sandbox, request.count
  local picked, refusals = {}, {}
  local held = held_allowance(owner, sandbox, request.arch)
  for index = 1, #request.groups do
    local group = request.groups[index]
    local rules = rules_of(group)
    if rules.draining then
      refusals[#refusals + 1] = { kind = 'draining', group = group }
    else
      local any = less(held, #picked)
      if rules.maxInUse > 0 then
        any = tighter(any, left('group_limit', group, rules.maxInUse, count_states(group, { 'in_use' })))
      end
      local after = checked_after(rules)
      local dirty, most = {}, math.min(wanted - #picked, any.count)
      if most > 0 then dirty = load_all(newest('n:idle::' .. part(group) .. part(owner) .. part(sandbox), after, most)) end
      for each = 1, #dirty do picked[#picked + 1] = dirty[each] end
      if #picked >= wanted then return picked end
      local clean = tighter(less(any, #dirty), clean_allowance(owner, sandbox, group, rules))
      local fresh, more = {}, only_idle and 0 or math.min(wanted - #picked, clean.count)
      if more > 0 then fresh = load_all(newest('n:free::' .. part(group), after, more)) end
      for each = 1, #fresh do picked[#picked + 1] = fresh[each] end
      if #picked >= wanted then return picked end
      local why = { kind = 'no_vm', group = group }
      if more <= #fresh and clean.refusal then why = clean.refusal end
      refusals[#refusals + 1] = why
    end
  end
  return nil, refusals
end

-- Hands machines out.
local function hand_out(request, vms)
  local leases = {}
  for index = 1, #vms do
    local vm = vms[index]
    local after = in_state(vm, 'in_use')
    local lease_ms = request.leaseMs or rules_of(vm.group).leaseMs
    if not vm.bound_to_user then after.bound_since = now end
    after.bound_to_user = request.owner
    after.sandbox = request.sandbox
    after.used_by_worker = request.worker
    after.in_use_since = now
    after.request_id = request.id
    after.task_id = request.taskId
    after.build_id = request.buildId
    after.chroot = request.chroot
    after.arch = request.arch
    after.lease_token = request.leaseToken
    after.lease_ms = lease_ms
    after.lease_expires_at = now + lease_ms
    after.reattach = request.reattach and '1' or nil
    after.priority = request.priority
    after.preemptible = request.preemptible and '1' or nil
    save(vm, after)
    tell_vm('vm.acquired', after, 'in_use', nil, vm.state)
    leases[index] = after
  end
  if any_waiting and call('HEXISTS', P .. 'n:queue:count', request.owner) == 1 then
    call('HSET', P .. 'n:queue:served', request.owner, integer(now))
  end
  return leases
end

-- After a machine ended or its owner's use did: limits have room that stood in somebody's way.
local function serve_freed(vm)
  if any_waiting then queue().serve_freed(vm) end
end

-- A machine has come to rest as `ready`: finds whom it serves.
local function offer(vm)
  if any_waiting then queue().offer(vm) end
end

-- Lets a machine come to rest, and offers it to those who wait when it is ready. `tell` is called with its state.
local function come_to_rest(vm, changed, tell)
  local state, reason = settle(changed)
  tell(state)
  if state == 'terminating' then
    save(vm, changed)
    return terminate_one(changed, reason)
  end
  local after = in_state(changed, state)
  save(vm, after)
  if state == 'ready' and any_waiting then
    offer(after)
    return load(vm.vm_name) or after
  end
  return after
end
