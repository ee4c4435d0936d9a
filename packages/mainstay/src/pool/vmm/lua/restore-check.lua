-- check_health → what it was before a check that could not be launched. Source: vm-pool.md A6.4, C7.
--
-- KEYS[1] the descriptor
-- ARGV[1] the state before the check
-- ARGV[2] the time that the check wrote
-- ARGV[3] the time of the check before that one, empty when there was none
-- Returns OK, or nil when something happened to the machine since: then nothing is restored.
-- Never takes back another check, an acquire, a release or a termination.
local state = redis.call('HGET', KEYS[1], 'state')
if redis.call('HGET', KEYS[1], 'last_health_check') ~= ARGV[2] then return nil end
if ARGV[1] == 'in_use' then
  if state ~= 'in_use' then return nil end
else
  if state ~= 'check_health' then return nil end
  redis.call('HSET', KEYS[1], 'state', ARGV[1])
end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], 'last_health_check')
else
  redis.call('HSET', KEYS[1], 'last_health_check', ARGV[3])
end
return 'OK'
