-- check_health → ready; in_use stays. Source: vm-pool.md A4.
--
-- KEYS[1] the descriptor
-- Returns nil.
-- Never believes a result that comes after the check was given up.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'check_health' and state ~= 'in_use' then return nil end
redis.call('HSET', KEYS[1], 'check_fails', '0')
if state == 'check_health' then redis.call('HSET', KEYS[1], 'state', 'ready') end
return nil
