-- in_use → in_use, by another worker. Source: vm-pool.md A5.7.
--
-- KEYS[1] the descriptor
-- ARGV[1] the new worker, ARGV[2] the task that it goes on with
-- Returns OK, or nil when the machine is not in use for that task any more.
-- Never takes a machine from another task.
local now = redis.call('HMGET', KEYS[1], 'state', 'task_id')
if now[1] ~= 'in_use' or now[2] ~= ARGV[2] then return nil end
redis.call('HDEL', KEYS[1], 'used_by_pid')
redis.call('HSET', KEYS[1], 'used_by_worker', ARGV[1])
return 'OK'
