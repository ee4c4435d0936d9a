-- Changes of requests that wait. Mirrors transitions/queue.ts and preempt.ts.
--
-- input   { verb: 'cancel' | 'requeue' | 'reorder' | 'expire' | 'serve' | 'preempt', fence?, id?, … what the verb needs }
-- result  { done }; error 'fenced' | 'request' | 'ended', with the id and the status

if not may_write(input.fence) then return fail('fenced') end

-- A request that waits, or nil and the answer why it is not that.
local function require_waiting(id)
  local request = request_of(id)
  if not request then
    if call('EXISTS', P .. 'n:leases::' .. id) == 1 then return nil, fail('ended', { id = id, status = 'granted' }) end
    return nil, fail('request', { id = id })
  end
  if request.status ~= 'waiting' then return nil, fail('ended', { id = id, status = request.status }) end
  return request
end

local function finish(request, status, reason)
  queue().end_request(request, status, reason)
  tell_request('request.' .. status, request, reason)
  -- A gang that goes lets go of the machines that were kept for it.
  if request.count > 1 then queue().serve_groups(request.groups) end
end

local verbs = {}

function verbs.cancel()
  local request, refusal = require_waiting(input.id)
  if not request then return refusal end
  finish(request, 'cancelled', input.reason)
end

function verbs.requeue()
  local request = request_of(input.id)
  if not request or request.status ~= 'granted' or call('EXISTS', P .. 'n:leases::' .. input.id) == 1 then return end
  queue().drop_request(request)
  if now >= request.waitUntil then return end
  -- Whose machine is of no use is as far as it was before: with its time, its priority and its rank.
  request.status, request.endedAt, request.reason = 'waiting', nil, nil
  queue().stand(request, true)
  queue().write_request(request)
  any_waiting = true
  tell_request('request.waiting', request)
  queue().serve_groups(request.groups, request.owner)
end

function verbs.reorder()
  local request, refusal = require_waiting(input.id)
  if not request then return refusal end
  local before = nil
  if some(input.ahead) then
    before, refusal = require_waiting(input.ahead)
    if not before then return refusal end
  end
  queue().stand(request, false)
  request.priority = some(input.priority) or (before and before.priority) or request.priority
  if before then request.rankAt = before.rankAt - 1 end
  queue().stand(request, true)
  queue().write_request(request)
  tell_request('request.reordered', request)
  queue().serve_groups(request.groups, request.owner)
end

function verbs.expire()
  local retention = pool_rules().requestRetentionMs
  local found = {}
  local function find(key, delay, ended)
    local upto = integer(now - delay)
    local flat_list = call('ZRANGEBYSCORE', P .. key, '-inf', upto, 'WITHSCORES', 'LIMIT', 0, input.limit)
    for index = 1, #flat_list, 2 do
      found[#found + 1] = { id = flat_list[index], at = tonumber(flat_list[index + 1]) + delay, ended = ended }
    end
  end
  find('n:requests:until', 0, false)
  find('n:requests:ended', retention, true)
  table.sort(found, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    return a.id < b.id
  end)
  for index = 1, math.min(#found, input.limit) do
    local request = request_of(found[index].id)
    if not request then
      -- Its record is lost: it can be neither served nor asked about (C19).
      for _, key in ipairs({ 'n:requests', 'n:requests:until', 'n:requests:ended' }) do call('ZREM', P .. key, found[index].id) end
    elseif found[index].ended then
      queue().drop_request(request)
    elseif request.status == 'waiting' then
      -- Unless it was served just now, by what an earlier one had kept.
      finish(request, 'expired', 'it waited for as long as it wanted to')
    end
  end
end

function verbs.serve()
  if any_waiting then queue().serve_groups(input.groups, true) end
end

function verbs.preempt()
  local request, refusal = require_waiting(input.id)
  if not request then return refusal end
  local vms, refusals = pick(request)
  if not vms then queue().preempt_for(request, refusals) end
end

return verbs[input.verb]() or answer({ done = true })
