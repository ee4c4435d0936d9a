-- Prelude of the other scripts: whether the history that a node knows is still there.
--
-- Keys of one log (one hash tag): the stream `log` with entries `<seq>-0`, fields e (text of the event), i (its id),
-- a (when it was taken in, unix ms), p (the epoch in which it was appended), b (the id of the event before it, by which
-- a reader knows that it follows what it has read); the hash `state` with epoch, head, at, bytes, id; the sorted set `seen` of source ids by the time of their event; the hash `ids` from event id to seq.
--
-- A history is lost when there is no epoch, when its head is lower than a place that the node has seen, or when
-- that place now holds another event. Then a new epoch begins; places already taken are never given out again in the
-- old one.

local function text(number)
  return string.format('%.0f', number)
end

local function field(entry, name)
  for index = 1, #entry[2], 2 do
    if entry[2][index] == name then
      return entry[2][index + 1]
    end
  end
  return ''
end

local function entry_at(log, seq)
  return redis.call('XRANGE', log, text(seq) .. '-0', text(seq) .. '-0')[1]
end

-- The last place that the stream has given out, for a state that is gone while the stream is not.
local function last_of_stream(log)
  if redis.call('EXISTS', log) == 0 then
    return 0
  end
  local info = redis.call('XINFO', 'STREAM', log)
  for index = 1, #info, 2 do
    if info[index] == 'last-generated-id' then
      return tonumber(string.match(info[index + 1], '^(%d+)'))
    end
  end
  return 0
end

-- Returns epoch and head. `seen_id` is empty where the node does not know what it has seen at `seen_seq`.
local function open_history(log, state, seen_epoch, seen_seq, seen_id, new_epoch)
  local epoch = redis.call('HGET', state, 'epoch')
  local head = tonumber(redis.call('HGET', state, 'head') or '0')
  local lost = not epoch
  if epoch and epoch == seen_epoch then
    if head < seen_seq then
      lost = true
    elseif seen_id ~= '' then
      local entry = entry_at(log, seen_seq)
      lost = entry ~= nil and field(entry, 'i') ~= seen_id
    end
  end
  if not lost then
    return epoch, head
  end
  if not epoch then
    head = last_of_stream(log)
  end
  redis.call('HSET', state, 'epoch', new_epoch, 'head', text(head))
  return new_epoch, head
end
