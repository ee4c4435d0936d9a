-- check_health → check_health_failed, for a check whose result never came. Source: vm-pool.md A4.
--
-- KEYS[1] the descriptor
-- Returns OK, or nil when no check of it is under way.
-- Never counts a failure: nobody saw one.
if redis.call('HGET', KEYS[1], 'state') ~= 'check_health' then return nil end
redis.call('HSET', KEYS[1], 'state', 'check_health_failed')
return 'OK'
