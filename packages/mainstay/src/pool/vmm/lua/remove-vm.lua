-- terminating → (removed). Source: vm-pool.md A5.1.
--
-- KEYS[1] the descriptor
-- KEYS[2] the set of its group
-- ARGV[1] the name
-- Returns OK, or the state that forbids it, or nil when there is no such machine.
-- Never removes a machine that is not terminating.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return nil end
if state ~= 'terminating' then return state end
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[1])
return 'OK'
