-- (none) → got_ip. Source: vm-pool.md A5.1; names are unique over all groups (C9).
--
-- KEYS[1]   the descriptor
-- KEYS[2]   the set of the group
-- KEYS[3..] the sets of all other groups
-- ARGV[1]   the name; then field, value, field, value, ... of the descriptor
-- Returns OK, or nil when a group has the name already.
-- Never changes a machine that is in the pool. What an earlier machine of that name left behind goes.
for i = 2, #KEYS do
  if redis.call('SISMEMBER', KEYS[i], ARGV[1]) == 1 then return nil end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('SADD', KEYS[2], ARGV[1])
return 'OK'
