-- Writes a spawn down before the provider is asked, unless a limit forbids it. Mirrors transitions/spawn.ts.
--
-- input   { name, group, provider, ignoreRate, fence? }
-- result  { outcome: 'requested' } and the machine, or { outcome: 'refused', kind, limit, count };
--         error 'fenced' | 'group' | 'exists', with the group it is in

if not may_write(input.fence) then return fail('fenced') end
local name, group = input.name, input.group
if call('HEXISTS', P .. 'n:config', 'group:' .. group) == 0 then return fail('group') end
local existing = load(name)
if existing or call('EXISTS', vm_key(name)) == 1 then
  return fail('exists', { group = existing and existing.group or '?' })
end

local function refused(kind, limit, has)
  return answer({ outcome = 'refused', kind = kind, limit = limit, count = has })
end

local rules = rules_of(group)
if rules.draining then return refused('draining', 0, 0) end
local ending = count_states(group, { 'terminating', 'stuck' })
local all = ending + count_states(group, {
  'requested', 'building', 'got_ip', 'check_health', 'check_health_failed', 'ready', 'in_use', 'resetting', 'held',
  'drained', 'standby', 'starting',
})
if rules.maxTotal > 0 and all - ending >= rules.maxTotal then return refused('max_total', rules.maxTotal, all - ending) end
local info = P .. 'vm_pool_info:hset::' .. group
local last = seconds_to_ms(call('HGET', info, 'last_vm_spawn_start'))
if not input.ignoreRate then
  if last and now - last < rules.spawnIntervalMs then return refused('interval', rules.spawnIntervalMs, now - last) end
  local spawning = count_states(group, { 'requested', 'building', 'starting' })
  if rules.maxSpawns > 0 and spawning >= rules.maxSpawns then return refused('max_spawns', rules.maxSpawns, spawning) end
end
if rules.maxTotal > 0 and all >= 2 * rules.maxTotal then return refused('failsafe', 2 * rules.maxTotal, all) end

local vm = {
  vm_name = name, group = group, provider = input.provider, state = 'requested', state_since = now, created_at = now,
}
save(nil, vm)
call('HSET', info, 'last_vm_spawn_start', ms_to_seconds(now))
tell_vm('vm.requested', vm, nil, nil, false)
return answer({ outcome = 'requested' }, { flat(vm) })
