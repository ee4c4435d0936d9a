-- Makes all indexes of machines and of the queue anew from the records, in one step that takes about 20 ms for each thousand
-- machines: after another program wrote into the same database, or records were lost.
--
-- input   { fence?, names: all machines that have a record, ids: all requests that have one,
--           indexes: keys of indexes that are to be made anew }
-- result  { vms: how many there are }; error 'fenced'

if not may_write(input.fence) then return fail('fenced') end

local names, groups = {}, {}
for index = 1, #input.names do names[input.names[index]] = true end
local listed = call('ZRANGE', P .. 'n:names', 0, -1)
for index = 1, #listed do names[listed[index]] = true end
local vms = {}
for name in pairs(names) do
  local vm = load(name)
  if vm then
    vms[#vms + 1] = vm
    groups[vm.group] = true
  end
end

for index = 1, #input.indexes do call('DEL', P .. input.indexes[index]) end
call('DEL', P .. 'n:names', P .. 'n:due', P .. 'n:held:user', P .. 'n:held:sandbox', P .. 'n:held:arch', P .. 'n:holds')
for _, field in ipairs(call('HKEYS', P .. 'n:config')) do
  if string.sub(field, 1, 6) == 'group:' then groups[string.sub(field, 7)] = true end
end
for group in pairs(groups) do
  local key = part(group)
  call('DEL', P .. 'n:bound:user::' .. key, P .. 'n:bound:sandbox::' .. key, P .. 'n:leaving::' .. key)
end
for index = 1, #vms do place(nil, vms[index]) end

local ids = {}
for index = 1, #input.ids do ids[input.ids[index]] = true end
for _, key in ipairs({ 'n:requests', 'n:requests:ended' }) do
  for _, id in ipairs(call('ZRANGE', P .. key, 0, -1)) do ids[id] = true end
end
call('DEL', P .. 'n:requests', P .. 'n:requests:until', P .. 'n:requests:ended')
call('DEL', P .. 'n:queue:groups', P .. 'n:queue:count')
for id in pairs(ids) do
  local request = request_of(id)
  if request and request.status == 'waiting' then
    queue().stand(request, true)
  elseif request then
    call('ZADD', P .. 'n:requests:ended', integer(request.endedAt), id)
  end
end
return answer({ vms = #vms })
