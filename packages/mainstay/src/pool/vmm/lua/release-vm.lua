-- in_use → ready, or check_health_failed after checks that failed meanwhile. Source: vm-pool.md A4.
--
-- KEYS[1] the descriptor
-- ARGV[1] now, in unix seconds
-- Returns OK, or nil when it is not in use.
-- Never forgets whom the machine is bound to. The worker's field goes under both of its names.
if redis.call('HGET', KEYS[1], 'state') ~= 'in_use' then return nil end
redis.call('HDEL', KEYS[1], 'in_use_since', 'used_by_worker', 'used_by_pid', 'task_id', 'build_id', 'chroot')
redis.call('HSET', KEYS[1], 'state', 'ready', 'last_release', ARGV[1])
local builds = tonumber(redis.call('HGET', KEYS[1], 'builds_count') or '') or 0
redis.call('HSET', KEYS[1], 'builds_count', string.format('%d', builds + 1))
local fails = tonumber(redis.call('HGET', KEYS[1], 'check_fails') or '')
if fails and fails > 0 then redis.call('HSET', KEYS[1], 'state', 'check_health_failed') end
return 'OK'
