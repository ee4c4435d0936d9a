-- What the log holds, after a look whether the history that a node knows is still there.
--
-- KEYS: log, state
-- ARGV: new epoch, seen epoch, seen seq, seen id (see history.lua)
-- Returns: epoch, oldest and head as text, id of the event at the head ('' when it is not kept).

local epoch, head = open_history(KEYS[1], KEYS[2], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[1])
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local oldest = first and string.match(first[1], '^(%d+)') or text(head + 1)
local last = first and entry_at(KEYS[1], head)
return { epoch, oldest, text(head), last and field(last, 'i') or '' }
