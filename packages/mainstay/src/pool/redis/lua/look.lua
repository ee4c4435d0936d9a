-- Looks that change nothing, each in one step.
--
-- input   { verb: 'names' | 'index' | 'page' | 'counts' | 'usage' | 'requests', … what the verb needs }
-- result  what the verb says, and machines where it is about them

local function machines(names)
  local vms = {}
  for index = 1, #names do
    local vm = load(names[index])
    if vm then vms[#vms + 1] = flat(vm) end
  end
  return vms
end

local verbs = {}

-- Machines by name, in the order given.
function verbs.names()
  return answer({ done = true }, machines(input.names))
end

-- Machines that stand in an index, by name.
function verbs.index()
  return answer({ done = true }, machines(call('ZRANGE', P .. input.index, 0, -1)))
end

-- The names of all machines in some states after a name, in order, when that is no more than a few.
local function names_in_states()
  local groups, keys, sum = input.groups, {}, 0
  for index = 1, #groups do
    for each = 1, #input.states do
      local key = P .. 'n:state::' .. part(groups[index]) .. part(input.states[each])
      keys[#keys + 1] = key
      sum = sum + call('ZCARD', key)
    end
  end
  if sum > 2000 then return nil end
  local names = {}
  for index = 1, #keys do
    local found = call('ZRANGE', keys[index], 0, -1)
    for each = 1, #found do
      if not some(input.after) or found[each] > input.after then names[#names + 1] = found[each] end
    end
  end
  table.sort(names)
  return names
end

-- Machines in the order of their names; looks at most at 10,000, and says where to go on.
function verbs.page()
  local few = some(input.states) and names_in_states()
  if few then
    local vms = {}
    for index = 1, math.min(#few, input.limit) do
      local vm = load(few[index])
      if vm then vms[#vms + 1] = flat(vm) end
    end
    return answer({ cursor = few[input.limit] }, vms)
  end
  local from = some(input.after) and '(' .. input.after or '-'
  local vms, last, looked = {}, nil, 0
  while #vms < input.limit and looked < 10000 do
    local names = call('ZRANGEBYLEX', P .. 'n:names', from, '+', 'LIMIT', 0, 200)
    if #names == 0 then return answer({ done = true }, vms) end
    for index = 1, #names do
      looked = looked + 1
      last = names[index]
      local group, state = unpack(call('HMGET', vm_key(last), 'group', 'state'))
      local wanted = group and state and (not some(input.group) or group == input.group)
        and (not some(input.states) or one_of(state, input.states))
      if wanted then vms[#vms + 1] = flat(load(last)) end
      if #vms >= input.limit then break end
    end
    from = '(' .. last
  end
  return answer({ cursor = last }, vms)
end

-- Per group from the indexes alone.
function verbs.counts()
  local groups = {}
  for index = 1, #input.groups do
    local group = input.groups[index]
    local rules = rules_of(group)
    local oldest = 0
    if (rules.maxCheckAgeMs or 0) > 0 then oldest = now - rules.maxCheckAgeMs - 1 end
    local after = '(' .. integer(max(server_started(), oldest))
    local states = {}
    for each = 1, #input.states do
      states[input.states[each]] = call('ZCARD', P .. 'n:state::' .. part(group) .. part(input.states[each]))
    end
    local waiting = 0
    local owners = call('HKEYS', P .. 'n:queue:heads::' .. part(group))
    for each = 1, #owners do waiting = waiting + call('ZCARD', P .. 'n:queue:own::' .. part(group) .. part(owners[each])) end
    groups[index] = {
      group = group,
      states = states,
      free = call('ZCOUNT', P .. 'n:free::' .. part(group), after, '+inf'),
      clean = call('ZCARD', P .. 'n:free::' .. part(group)),
      waiting = waiting,
      lastSpawnStart = seconds_to_ms(call('HGET', P .. 'vm_pool_info:hset::' .. group, 'last_vm_spawn_start')),
    }
  end
  return answer({ groups = groups })
end

function verbs.usage()
  local owners = {}
  for index = 1, #input.owners do
    local owner = input.owners[index]
    local bound = {}
    for each = 1, #input.groups do
      local group = input.groups[each]
      local has = call('HGET', P .. 'n:bound:user::' .. part(group), owner)
      if has then bound[group] = tonumber(has) end
    end
    owners[index] = { owner = owner, held = tonumber(call('HGET', P .. 'n:held:user', owner) or '0'), bound = bound }
  end
  return answer({ owners = owners })
end

-- Waiting requests in the order of submission, after a cursor.
function verbs.requests()
  local found = {}
  local from = some(input.after)
  local start = from and integer(from.submittedAt) or '-inf'
  local offset = 0
  while #found < input.limit do
    local ids = call('ZRANGEBYSCORE', P .. 'n:requests', start, '+inf', 'WITHSCORES', 'LIMIT', offset, input.limit)
    if #ids == 0 then break end
    for index = 1, #ids, 2 do
      local past = not from or tonumber(ids[index + 1]) > from.submittedAt or ids[index] > from.id
      local text = past and #found < input.limit and call('GET', P .. 'n:request::' .. ids[index])
      if text then found[#found + 1] = text end
    end
    offset = offset + #ids / 2
  end
  return { cjson.encode({ done = true }), {}, found }
end

return verbs[input.verb]()
