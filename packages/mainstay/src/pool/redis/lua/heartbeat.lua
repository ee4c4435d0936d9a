-- Prolongs a lease. Mirrors transitions/use.ts.
--
-- input   { name, token }
-- result  { expiresAt, preemptAt? }; error 'not_found' | 'lease_lost'

local vm = load(input.name)
if not vm then return fail('not_found') end
if vm.state ~= 'in_use' or vm.lease_token ~= input.token then return fail('lease_lost') end
local after = copy(vm)
after.lease_expires_at = now + (vm.lease_ms or rules_of(vm.group).leaseMs)
after.detached_at = nil
save(vm, after)
return answer({ expiresAt = after.lease_expires_at, preemptAt = vm.preempt_at })
