-- Any state → terminating, and the request that follows from it. Source: vm-pool.md A4, A5.4, C6.
--
-- KEYS[1] the descriptor
-- ARGV[1] the only state that it may have, or None
-- ARGV[2] now, in unix seconds
-- ARGV[3] 1 protects a machine in use unless ARGV[1] names that state
-- ARGV[4] the channel of the pool, ARGV[5] the request that is published there
-- ARGV[6] the channel of the machine's worker, told when its machine was in use
-- Returns OK, or why it was refused.
-- Never makes a record of a machine that is not in the pool. Both messages go out with the change or not at all.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 'no such machine' end
if ARGV[1] ~= 'None' and state ~= ARGV[1] then return 'old state is not the allowed one: ' .. state end
if state == 'terminating' and ARGV[1] ~= 'terminating' then return 'already terminating' end
if state == 'in_use' and ARGV[3] == '1' and ARGV[1] ~= 'in_use' then return 'in use, and protected' end
redis.call('HSET', KEYS[1], 'state', 'terminating', 'terminating_since', ARGV[2])
redis.call('PUBLISH', ARGV[4], ARGV[5])
if state == 'in_use' then redis.call('PUBLISH', ARGV[6], 'vm died') end
return 'OK'
