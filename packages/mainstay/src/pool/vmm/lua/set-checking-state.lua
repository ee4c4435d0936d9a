-- got_ip, ready, check_health_failed → check_health; in_use stays. Source: vm-pool.md A4.
--
-- KEYS[1] the descriptor
-- ARGV[1] now, in unix seconds
-- Returns OK, or nil when the state does not allow a check or there is no such machine.
-- Never changes the state of a machine in use.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'got_ip' and state ~= 'ready' and state ~= 'in_use' and state ~= 'check_health_failed' then return nil end
if state ~= 'in_use' then redis.call('HSET', KEYS[1], 'state', 'check_health') end
redis.call('HSET', KEYS[1], 'last_health_check', ARGV[1])
return 'OK'
