-- A page of events, with the epoch that their places belong to.
--
-- KEYS: log, state
-- ARGV: 'up' or 'down', first and last seq that may be in it ('-' and '+' for open ends), how many
-- Returns: epoch ('' when there is no history), then for each event its seq and its text.

local order = ARGV[1] == 'up' and 'XRANGE' or 'XREVRANGE'
local entries = redis.call(order, KEYS[1], ARGV[2], ARGV[3], 'COUNT', ARGV[4])
local reply = { redis.call('HGET', KEYS[2], 'epoch') or '' }
for _, entry in ipairs(entries) do
  reply[#reply + 1] = string.match(entry[1], '^(%d+)')
  reply[#reply + 1] = field(entry, 'e')
end
return reply
