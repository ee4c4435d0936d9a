-- A machine of the reference gets what the native pool knows besides. Source: vm-pool.md C18.
--
-- KEYS[1]  the descriptor
-- KEYS[2]  the records that an earlier adoption refused: this one is none of them any more
-- ARGV[1]  the state that it was seen in
-- ARGV[2]  its name; then field, value, field, value, ... of the native record
-- Returns OK, or nil when it is not in that state any more, or not there: look again.
-- Never changes a field that is there, but takes away the text None, which the reference writes for what was not given.
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[1] then return nil end
for _, field in ipairs({ 'task_id', 'build_id', 'chroot' }) do
  if redis.call('HGET', KEYS[1], field) == 'None' then redis.call('HDEL', KEYS[1], field) end
end
for i = 3, #ARGV, 2 do
  redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('HDEL', KEYS[2], ARGV[2])
return 'OK'
