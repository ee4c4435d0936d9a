-- What came out of a check. A late answer, of another check than the one under way, changes nothing. Mirrors
-- transitions/check.ts.
--
-- input   { name, startedAt, result: 'passed' | 'failed' | 'not_launched', reason? }
-- result  {}; error 'not_found'

local vm = load(input.name)
if not vm then return fail('not_found') end
local current = vm.check_from and vm.last_health_check == input.startedAt
if not current or (vm.state ~= 'check_health' and vm.state ~= 'in_use') then return answer({ done = false }) end
local in_use = vm.state == 'in_use'

if input.result == 'passed' then
  local after = copy(vm)
  after.check_fails = nil
  after.check_passed_at = now
  clear(after, CHECK)
  if in_use then
    save(vm, after)
    tell_vm('vm.check_passed', vm)
  else
    come_to_rest(vm, after, function(state) tell_vm('vm.check_passed', vm, state) end)
  end
elseif input.result == 'failed' then
  local rules = rules_of(vm.group)
  local to = in_use and 'in_use' or 'check_health_failed'
  local after = in_state(vm, to)
  after.check_fails = (vm.check_fails or 0) + 1
  clear(after, CHECK)
  save(vm, after)
  tell_vm('vm.check_failed', vm, to, input.reason)
  if after.check_fails > rules.maxCheckFails and not (in_use and rules.protectInUse) then
    terminate_one(after, 'it failed ' .. integer(after.check_fails) .. ' checks in a row')
    serve_freed(after)
  end
else
  local after = copy(vm)
  if not in_use then
    after.state = vm.check_from
    after.state_since = vm.check_from_since
  end
  after.last_health_check = vm.check_from_started
  -- What hinders a check is seldom over at once: it is made again after 10 s, or its period if that is shorter.
  local retry_at = now + math.min(rules_of(vm.group).checkPeriodMs, 10000)
  after.next_check_at = math.max(vm.check_from_next or 0, retry_at)
  clear(after, CHECK)
  save(vm, after)
  tell_vm('vm.check_failed', vm, after.state, 'the check could not be started')
  if after.state == 'ready' then offer(after) end
end
return answer({ done = true })
