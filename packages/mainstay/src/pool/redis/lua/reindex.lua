-- Places some machines anew, from their records: deadlines depend on the rules, and another program may have written
-- into the database.
--
-- input   { names }
-- result  { vms: how many there are }

local function displace_everywhere(vm)
  for _, state in ipairs({
    'requested', 'building', 'got_ip', 'check_health', 'check_health_failed', 'ready', 'in_use', 'resetting', 'held',
    'drained', 'standby', 'starting', 'terminating', 'stuck',
  }) do
    if state ~= vm.state then call('ZREM', P .. 'n:state::' .. part(vm.group) .. part(state), vm.vm_name) end
  end
end

local vms = 0
for index = 1, #input.names do
  local vm = load(input.names[index])
  if vm then
    vms = vms + 1
    -- One that stands in the list of names has its counters; one that another program wrote has not.
    if call('ZSCORE', P .. 'n:names', vm.vm_name) then
      place(vm, vm)
    else
      displace_everywhere(vm)
      place(nil, vm)
    end
  end
end
return answer({ vms = vms })
