-- Hands out machines, queues the request, or says why not. Mirrors transitions/acquire.ts.
--
-- input   { request: the request as it would be kept, waits: whether it may wait }
-- result  { outcome: 'granted' | 'waiting' | 'unavailable' | 'ended', request?, refusals? } and the machines granted

local request = input.request

local function refusals_of(wanted)
  local vms, refusals = pick(wanted)
  if vms then return { { kind = 'queue' } } end
  return refusals
end

local held = load_all(call('ZRANGE', P .. 'n:leases::' .. request.id, 0, -1))
local function granted(vms)
  for index = 1, #vms do vms[index] = flat(vms[index]) end
  return answer({ outcome = 'granted' }, vms)
end
if #held > 0 then return granted(held) end

local known = request_of(request.id)
if known then
  if known.status ~= 'waiting' then return answer({ outcome = 'ended', request = known }) end
  return answer({ outcome = 'waiting', request = known, refusals = refusals_of(known) })
end

local in_line = false
if any_waiting then
  for index = 1, #request.groups do
    if call('ZSCORE', P .. 'n:queue:groups', request.groups[index]) then in_line = true end
  end
end

if in_line then
  queue().stand(request, true)
  queue().write_request(request)
  queue().serve_groups(request.groups, request.owner)
  held = load_all(call('ZRANGE', P .. 'n:leases::' .. request.id, 0, -1))
  if #held > 0 then return granted(held) end
else
  local vms = pick(request)
  if vms then return granted(hand_out(request, vms)) end
  if input.waits then
    queue().stand(request, true)
    queue().write_request(request)
  end
end

local refusals = refusals_of(request)
queue().evict_for_limit(request.owner, refusals)
if not input.waits then
  if in_line then queue().drop_request(request) end
  return answer({ outcome = 'unavailable', refusals = refusals })
end
any_waiting = true
tell_request('request.waiting', request)
request = queue().preempt_for(request, refusals)
return answer({ outcome = 'waiting', request = request, refusals = refusals })
