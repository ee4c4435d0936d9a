-- Writes the rules, or the mark of the server's start. Mirrors transitions/lead.ts. The caller places the machines anew
-- afterwards, page by page.
--
-- input   { fence?, started: true } or { fence?, pool, groups: [{ id, json }], default }; rules are JSON texts
-- result  {}; error 'fenced'

if not may_write(input.fence) then return fail('fenced') end
if input.started then
  call('HSET', P .. 'server_info:hset::', 'server_start_timestamp', ms_to_seconds(now))
  return answer({ done = true })
end

local config = P .. 'n:config'
local kept = {}
local order = {}
for index = 1, #input.groups do
  local group = input.groups[index]
  kept[group.id] = true
  order[index] = group.id
end
local before = cjson.decode(call('HGET', config, 'order') or '[]')
for index = 1, #before do
  local id = before[index]
  if not kept[id] then
    -- Gone from the configuration: hands nothing out any more, and its machines go (C20).
    local json = call('HGET', config, 'group:' .. id)
    json = string.gsub(json, '"draining":[^,}]*', '"draining":"terminate"')
    json = string.gsub(json, '"retired":false', '"retired":true')
    call('HSET', config, 'group:' .. id, json)
    order[#order + 1] = id
  end
end
local ageing = some(pool_rules().ageingMs)
for index = 1, #input.groups do call('HSET', config, 'group:' .. input.groups[index].id, input.groups[index].json) end
call('HSET', config, 'pool', input.pool, 'default', input.default)
if #order > 0 then call('HSET', config, 'order', cjson.encode(order)) else call('HDEL', config, 'order') end

-- Where waiting counts differently, every request has another place.
known_pool = nil
if ageing ~= pool_rules().ageingMs then
  local ids = call('ZRANGE', P .. 'n:requests', 0, -1)
  for index = 1, #ids do
    local request = request_of(ids[index])
    queue().stand(request, false)
    queue().stand(request, true)
  end
end
return answer({ done = true })
