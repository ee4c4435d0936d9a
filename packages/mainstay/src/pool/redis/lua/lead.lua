-- One master at a time, with a number that grows with every change. Mirrors transitions/lead.ts.
--
-- input   { id, leaseMs, resign? }
-- result  { leads, leader, fence, until }

local key = P .. 'n:leader'
local leader = call('HGET', key, 'id') or ''
local fence = tonumber(call('HGET', key, 'fence') or '0')
local held_until = tonumber(call('HGET', key, 'until') or '0')

if input.resign then
  if leader == input.id then call('HSET', key, 'id', '', 'until', '0') end
  return answer({ done = true })
end
if leader ~= '' and leader ~= input.id and now <= held_until then
  return answer({ leads = false, leader = leader, fence = fence, ['until'] = held_until })
end
if leader ~= input.id then fence = fence + 1 end
held_until = now + input.leaseMs
call('HSET', key, 'id', input.id, 'fence', integer(fence), 'until', integer(held_until))
return answer({ leads = true, leader = input.id, fence = fence, ['until'] = held_until })
