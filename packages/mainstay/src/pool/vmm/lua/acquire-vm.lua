-- ready → in_use. Source: vm-pool.md A4.
--
-- KEYS[1] the descriptor
-- KEYS[2] the facts about the master
-- ARGV[1] user, ARGV[2] worker, ARGV[3] now in unix seconds
-- ARGV[4] task id, ARGV[5] build id, ARGV[6] chroot, each empty when not given
-- ARGV[7] sandbox
-- Returns OK, or nil: not ready, or not checked since the master started, or bound to another user or sandbox meanwhile.
-- Never hands out a machine that another user's work ran on.
if redis.call('HGET', KEYS[1], 'state') ~= 'ready' then return nil end
local checked = tonumber(redis.call('HGET', KEYS[1], 'last_health_check') or '')
local started = tonumber(redis.call('HGET', KEYS[2], 'server_start_timestamp') or '')
if not checked or not started or checked <= started then return nil end
local bound = redis.call('HMGET', KEYS[1], 'bound_to_user', 'sandbox')
if bound[1] and (bound[1] ~= ARGV[1] or bound[2] ~= ARGV[7]) then return nil end
redis.call('HDEL', KEYS[1], 'used_by_pid', 'task_id', 'build_id', 'chroot')
redis.call('HSET', KEYS[1], 'state', 'in_use', 'bound_to_user', ARGV[1], 'used_by_worker', ARGV[2],
  'in_use_since', ARGV[3], 'sandbox', ARGV[7])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'task_id', ARGV[4]) end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'build_id', ARGV[5]) end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'chroot', ARGV[6]) end
return 'OK'
