-- Ends a use: the machine comes to rest, or serves whoever is next. Mirrors transitions/use.ts and failure-hold.ts.
--
-- input   { name, token, failed }
-- result  {} and the machine as it is now; error 'not_found' | 'lease_lost'

local vm = load(input.name)
if not vm then return fail('not_found') end
if vm.state ~= 'in_use' or vm.lease_token ~= input.token then return fail('lease_lost') end

local after = copy(vm)
clear(after, USE)
clear(after, CHECK)
after.last_release = now
after.builds_count = (vm.builds_count or 0) + 1

local function order_for_this()
  local ids = call('HKEYS', P .. 'n:failure-holds')
  table.sort(ids)
  local labels = rules_of(vm.group).labels
  for index = 1, #ids do
    local order = decoded(call('HGET', P .. 'n:failure-holds', ids[index]))
    local match = order.match
    local fits = match.taskId and match.taskId == vm.task_id or match.group and match.group == vm.group
      or match.label and one_of(match.label, labels)
    if fits and order.expiresAt > now then return order end
  end
  return nil
end

if input.failed and not vm.hold_until then
  local order = order_for_this()
  local owner = vm.bound_to_user or (order and order.by)
  local quota = pool_rules().holdQuota
  if order and (quota == 0 or counter('n:holds', owner) < quota) then
    call('HDEL', P .. 'n:failure-holds', order.id)
    after.hold_until = now + math.min(order.holdMs, rules_of(vm.group).maxHoldMs)
    after.hold_reason = order.reason
    after.hold_by = order.by
    after.hold_owner = owner
  end
end

after = come_to_rest(vm, after, function(state) tell_vm('vm.released', vm, state) end)
serve_freed(vm)
if any_waiting then after = load(input.name) or after end
return answer({ done = true }, { flat(after) })
