-- Writes the deadlines of some machines anew: they depend on the rules.
--
-- input   { names }
-- result  { vms: how many of them there are }

local vms = 0
for index = 1, #input.names do
  local vm = load(input.names[index])
  if vm then
    vms = vms + 1
    place(vm, vm)
  end
end
return answer({ vms = vms })
