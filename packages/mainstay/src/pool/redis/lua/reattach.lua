-- Hands a machine in use to a new worker of the same task and owner. Mirrors transitions/use.ts.
--
-- input   { taskId, owner, worker, leaseToken }
-- result  { found } and the machine

local names = call('ZRANGE', P .. 'n:task::' .. input.taskId, 0, -1)
for index = 1, #names do
  local vm = load(names[index])
  local may = vm and vm.state == 'in_use' and vm.bound_to_user == input.owner and (vm.reattach or not vm.lease_expires_at)
  if may then
    local after = copy(vm)
    after.used_by_worker = input.worker
    after.used_by_pid = nil
    after.lease_token = input.leaseToken
    after.lease_ms = vm.lease_ms or rules_of(vm.group).leaseMs
    after.lease_expires_at = now + after.lease_ms
    after.detached_at = nil
    save(vm, after)
    tell_vm('vm.reattached', after)
    return answer({ found = true }, { flat(after) })
  end
end
return answer({ found = false })
