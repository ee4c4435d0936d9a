-- What has to be looked at now, the longest overdue first. Changes nothing.
--
-- input   { limit }
-- result  { more, requests, started, rules: the rules of their groups as JSON texts } and the machines

local names = call('ZRANGEBYSCORE', P .. 'n:due', '-inf', integer(now), 'LIMIT', 0, input.limit + 1)
local vms, rules = {}, {}
for index = 1, math.min(#names, input.limit) do
  local vm = load(names[index])
  if vm then
    vms[#vms + 1] = flat(vm)
    rules[vm.group] = rules[vm.group] or call('HGET', P .. 'n:config', 'group:' .. vm.group) or nil
  end
end
local retention = pool_rules().requestRetentionMs or 0
local requests = call('ZCOUNT', P .. 'n:requests:until', '-inf', integer(now))
  + call('ZCOUNT', P .. 'n:requests:ended', '-inf', integer(now - retention))
return answer({ more = #names > input.limit, requests = requests, started = server_started(), rules = rules }, vms)
