-- What every transition begins with: its input, names of keys, the rules, and how it tells what it changed.
--
-- KEYS[1]  prefix of all keys of this pool. On a cluster it must hold a hash tag, `{pool}:`, so that they share a slot.
-- ARGV[1]  the caller's time, milliseconds since the Unix epoch
-- ARGV[2]  the input of the transition, a JSON object
-- ARGV[3]  how many changes the stream keeps, about
--
-- Every transition returns { JSON of its result, { id, JSON, id, JSON, … } of its changes, { machine, … } } where a machine
-- is a list of fields and values. A result with `error` says that nothing was changed.
--
-- A script cannot be rolled back: each refuses before its first write.

local P = KEYS[1]
local now = tonumber(ARGV[1])
local input = cjson.decode(ARGV[2])
local call = redis.call
local changes = {}

-- Nil for what is absent or null.
local function some(value)
  if value == cjson.null then return nil end
  return value
end

-- A JSON object without its nulls.
local function decoded(text)
  local object = cjson.decode(text)
  for member, value in pairs(object) do
    if value == cjson.null then object[member] = nil end
  end
  return object
end

-- A text with its length before it. Several of these one after the other can be taken apart again: `joined` of
-- placements.ts.
local function part(text)
  return #text .. ':' .. text
end

local function integer(number)
  return string.format('%.0f', number)
end

local function seconds_to_ms(text)
  local seconds = text and tonumber(text)
  return seconds and math.floor(seconds * 1000 + 0.5) or nil
end

local function ms_to_seconds(ms)
  return string.format('%.3f', ms / 1000)
end

local function answer(result, vms)
  return { cjson.encode(result), changes, vms or {} }
end

local function fail(code, more)
  local result = more or {}
  result.error = code
  return answer(result)
end

local known_rules = {}

-- The rules of a group; those of a group that the configuration does not know are the defaults.
local function rules_of(group)
  local rules = known_rules[group]
  if not rules then
    rules = cjson.decode(call('HGET', P .. 'n:config', 'group:' .. group) or call('HGET', P .. 'n:config', 'default'))
    rules.draining = some(rules.draining)
    known_rules[group] = rules
  end
  return rules
end

local known_pool = nil

-- The rules over all groups.
local function pool_rules()
  if not known_pool then known_pool = cjson.decode(call('HGET', P .. 'n:config', 'pool') or '{}') end
  return known_pool
end

local known_start = nil

-- When the server last started; 0 before the first time.
local function server_started()
  if not known_start then
    known_start = seconds_to_ms(call('HGET', P .. 'server_info:hset::', 'server_start_timestamp')) or 0
  end
  return known_start
end

-- Whether a master with this number may write; an operator has none.
local function may_write(fence)
  fence = some(fence)
  return fence == nil or fence == tonumber(call('HGET', P .. 'n:leader', 'fence') or '0')
end

local function keep_change(change)
  local json = cjson.encode(change)
  local id = call('XADD', P .. 'n:changes', 'MAXLEN', '~', ARGV[3], '*', 'c', json)
  changes[#changes + 1] = id
  changes[#changes + 1] = json
end

-- Remembers what happened to a machine as it was before. `from` and `to` are false for none.
local function tell_vm(kind, vm, to, reason, from)
  if to == nil then to = vm.state end
  if from == nil then from = vm.state end
  keep_change({
    kind = kind, at = now, vm = vm.vm_name, group = vm.group, from = from or nil, to = to or nil, ip = vm.vm_ip,
    owner = vm.bound_to_user, taskId = vm.task_id, requestId = vm.request_id, worker = vm.used_by_worker, reason = reason,
  })
end

local function tell_request(kind, request, reason)
  keep_change({
    kind = kind, at = now, group = request.groups[1], owner = request.owner, taskId = request.taskId,
    requestId = request.id, worker = request.worker, reason = reason,
  })
end
