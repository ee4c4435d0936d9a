-- check_health → check_health_failed; in_use and check_health_failed stay. Source: vm-pool.md A4, B-56.
--
-- KEYS[1] the descriptor
-- Returns the number of failures now, or nil when the state does not count one.
-- Never counts a failure of a machine that is not being checked or used.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'check_health' and state ~= 'in_use' and state ~= 'check_health_failed' then return nil end
local fails = string.format('%d', (tonumber(redis.call('HGET', KEYS[1], 'check_fails') or '') or 0) + 1)
redis.call('HSET', KEYS[1], 'check_fails', fails)
if state == 'check_health' then redis.call('HSET', KEYS[1], 'state', 'check_health_failed') end
return fails
