-- Records that lost a part (C19): a name in a group's set without a hash, a hash in no set, a hash without what a machine
-- cannot do without. Mends what can be mended and drops the rest once it has been so for longer than the grace.
--
-- input   { verb: 'find', names } or { verb: 'repair', names, graceMs }; `names` are all that stand in any set or hash
-- result  find: { partial: [{ name, group?, missing, firstSeenAt }] }; repair: { refused: [{ name, because }] }

local SEEN = P .. 'n:partial'

local function group_ids()
  local ids = {}
  for _, field in ipairs(call('HKEYS', P .. 'n:config')) do
    if string.sub(field, 1, 6) == 'group:' then ids[#ids + 1] = string.sub(field, 7) end
  end
  return ids
end

local groups = group_ids()

-- In which group's set a name stands; nil for none.
local function set_of(name)
  for index = 1, #groups do
    if call('SISMEMBER', P .. 'vm_pool:set::' .. groups[index], name) == 1 then return groups[index] end
  end
  return nil
end

-- Before it has an address a machine needs none.
local NO_ADDRESS = { requested = true, building = true, standby = true, starting = true, terminating = true, stuck = true }

local function missing_of(name)
  local key = vm_key(name)
  local listed = set_of(name)
  if call('EXISTS', key) == 0 then
    if listed then return { 'hash' }, listed end
    return {}, nil
  end
  local group, state, ip = unpack(call('HMGET', key, 'group', 'state', 'vm_ip'))
  local missing = {}
  if not listed then missing[#missing + 1] = 'set entry' end
  if not ip and not (state and NO_ADDRESS[state]) then missing[#missing + 1] = 'vm_ip' end
  if not group then missing[#missing + 1] = 'group' end
  if not state then missing[#missing + 1] = 'state' end
  return missing, group or listed
end

if input.verb == 'find' then
  local partial = {}
  for index = 1, #input.names do
    local name = input.names[index]
    local missing, group = missing_of(name)
    if #missing == 0 then
      call('HDEL', SEEN, name)
    else
      call('HSETNX', SEEN, name, integer(now))
      local seen = tonumber(call('HGET', SEEN, name))
      partial[#partial + 1] = { name = name, group = group, missing = missing, firstSeenAt = seen }
    end
  end
  return answer({ partial = partial })
end

local function forget(name)
  local key = vm_key(name)
  local group, state = unpack(call('HMGET', key, 'group', 'state'))
  local vm = load(name)
  if vm and call('ZSCORE', P .. 'n:names', name) then place(vm, nil) end
  call('DEL', key)
  for index = 1, #groups do call('SREM', P .. 'vm_pool:set::' .. groups[index], name) end
  call('HDEL', SEEN, name)
  local reason = 'its record had lost a part'
  keep_change({ kind = 'vm.removed', at = now, vm = name, group = group or nil, from = state or nil, reason = reason })
end

local refused = {}
for index = 1, #input.names do
  local name = input.names[index]
  local missing, group = missing_of(name)
  local key = vm_key(name)
  local only_listing = #missing > 0
  for each = 1, #missing do
    if missing[each] ~= 'set entry' and missing[each] ~= 'group' then only_listing = false end
  end
  if #missing == 0 then
    call('HDEL', SEEN, name)
    refused[#refused + 1] = { name = name, because = 'nothing is missing' }
  elseif only_listing and group then
    -- What the set says and what the hash says can be told from each other.
    call('HSET', key, 'vm_name', name, 'group', group)
    call('SADD', P .. 'vm_pool:set::' .. group, name)
    call('HDEL', SEEN, name)
    local vm = load(name)
    if not call('ZSCORE', P .. 'n:names', name) then place(nil, vm) end
    tell_vm('vm.added', vm, nil, 'its record was mended')
  else
    local seen = tonumber(call('HGET', SEEN, name) or integer(now))
    call('HSETNX', SEEN, name, integer(now))
    if now - seen > input.graceMs then
      forget(name)
    else
      refused[#refused + 1] = { name = name, because = 'it may still be completed' }
    end
  end
end
return answer({ refused = refused })
