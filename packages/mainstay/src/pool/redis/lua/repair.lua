-- Records that lost a part (C19): a name in a group's set without a hash, a hash in no set, a hash without what a machine
-- cannot do without; and indexes that say something else than the records. Mends what can be mended and drops the rest
-- once it has been so for longer than the grace. A record that an adoption refused (C18) is told of and left alone.
--
-- input   { verb: 'find', names: of all that stand in any set or hash }
--         { verb: 'strangers', index, names: members of that index }
--         { verb: 'queue', ids: of all requests that have a record or stand in any index of the queue }
--         { verb: 'repair', names, graceMs }
-- result  find: { partial: [{ name, group?, missing, firstSeenAt }], placed: how many places in indexes are as they should be }
--         strangers: { partial } of those that do not belong there
--         queue: { astray: whether the indexes say something else than the records of these, or the counts than the indexes }
--         repair: { refused: [{ name, because }], rebuild: whether the indexes are to be made anew }

local SEEN = P .. 'n:partial'

-- Machines that stand where they do not belong, or not where they do.
local MISPLACED = P .. 'n:misplaced'

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
  if is_refused(name) then return { 'adoption' }, group or listed end
  local missing = {}
  if not listed then missing[#missing + 1] = 'set entry' end
  if not ip and not (state and NO_ADDRESS[state]) then missing[#missing + 1] = 'vm_ip' end
  if not group then missing[#missing + 1] = 'group' end
  if not state then missing[#missing + 1] = 'state' end
  return missing, group or listed
end

local function first_seen(name)
  call('HSETNX', SEEN, name, integer(now))
  return tonumber(call('HGET', SEEN, name))
end

local function misplaced(name, group)
  call('SADD', MISPLACED, name)
  return { name = name, group = group, missing = { 'index' }, firstSeenAt = first_seen(name) }
end

if input.verb == 'strangers' then
  local partial = {}
  for index = 1, #input.names do
    local vm = load(input.names[index])
    local belongs = false
    for _, place_ in ipairs(vm and places_of(vm) or {}) do belongs = belongs or place_[1] == input.index end
    if not belongs then partial[#partial + 1] = misplaced(input.names[index], vm and vm.group) end
  end
  return answer({ partial = partial })
end

-- Whether a request stands in all indexes in which it belongs, by its record; one without a record, in none.
local function stands(id)
  local request = request_of(id)
  local function is_in(key) return call('ZSCORE', P .. key, id) end
  if not request then return not (is_in('n:requests') or is_in('n:requests:until') or is_in('n:requests:ended')) end
  if request.status ~= 'waiting' then return is_in('n:requests:ended') and not is_in('n:requests') end
  for _, group in ipairs(request.groups) do
    local line = part(group) .. part(request.owner)
    if not is_in('n:queue:own::' .. line) then return false end
    if not is_in('n:queue:line::' .. line .. part(request.sandbox)) then return false end
    if call('HEXISTS', P .. 'n:queue:heads::' .. part(group), request.owner) == 0 then return false end
  end
  return is_in('n:requests') and is_in('n:requests:until') and not is_in('n:requests:ended')
end

if input.verb == 'queue' then
  local counted = 0
  for _, count in ipairs(call('HVALS', P .. 'n:queue:count')) do counted = counted + tonumber(count) end
  local astray = counted ~= call('ZCARD', P .. 'n:requests')
  for index = 1, #input.ids do astray = astray or not stands(input.ids[index]) end
  return answer({ astray = astray })
end

if input.verb == 'find' then
  local partial, placed = {}, 0
  for index = 1, #input.names do
    local name = input.names[index]
    local missing, group = missing_of(name)
    local vm, astray = load(name), false
    for _, place_ in ipairs(vm and places_of(vm) or {}) do
      if tonumber(call('ZSCORE', P .. place_[1], name)) == place_[2] then placed = placed + 1 else astray = true end
    end
    if #missing > 0 then
      partial[#partial + 1] = { name = name, group = group, missing = missing, firstSeenAt = first_seen(name) }
    elseif astray then
      partial[#partial + 1] = misplaced(name, group)
    else
      call('HDEL', SEEN, name)
    end
  end
  return answer({ partial = partial, placed = placed })
end

local function forget(name)
  local key = vm_key(name)
  local group, state = unpack(call('HMGET', key, 'group', 'state'))
  local vm = load(name)
  if vm and call('ZSCORE', P .. 'n:names', name) then place(vm, nil) end
  call('DEL', key)
  for index = 1, #groups do call('SREM', P .. 'vm_pool:set::' .. groups[index], name) end
  call('HDEL', SEEN, name)
  call('HDEL', P .. 'n:refused', name)
  local reason = 'its record had lost a part'
  keep_change({ kind = 'vm.removed', at = now, vm = name, group = group or nil, from = state or nil, reason = reason })
end

local refused, rebuild = {}, false
for index = 1, #input.names do
  local name = input.names[index]
  local astray = call('SREM', MISPLACED, name) == 1
  rebuild = rebuild or astray
  local missing, group = missing_of(name)
  local key = vm_key(name)
  local only_listing = #missing > 0
  for each = 1, #missing do
    if missing[each] ~= 'set entry' and missing[each] ~= 'group' then only_listing = false end
  end
  if #missing == 0 then
    call('HDEL', SEEN, name)
    if not astray then refused[#refused + 1] = { name = name, because = 'nothing is missing' } end
  elseif missing[1] == 'adoption' then
    refused[#refused + 1] = { name = name, because = call('HGET', P .. 'n:refused', name) }
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
return answer({ refused = refused, rebuild = rebuild })
