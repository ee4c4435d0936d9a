-- Who is next. Mirrors rank.ts and the transitions serve and preempt: the same answers.

local made = nil

queue = function()
  if made then return made end

  -- How many requests of one owner are looked at, when the first of them cannot be served.
  local LOOK_AHEAD = 16

  -- How many requests one transition serves at the most; what is left over is served by the cycle.
  local MOST_GRANTS = 16

  -- What an owner's place among the others depends on, of its first request: kept by group and owner, so that ranking
  -- them reads no requests.
  local function head_of(request)
    return string.format('%.0f %.14g %.0f %s', request.priority, request.weight, request.submittedAt, request.id)
  end

  -- The first requests of a line. One whose record is lost is nobody's any more, and leaves it (C19).
  local function first_of(line, limit)
    local requests = {}
    while #requests < limit do
      local ids = call('ZRANGE', line, #requests, limit - 1)
      if #ids == 0 then break end
      for index = 1, #ids do
        local request = request_of(ids[index])
        if request then requests[#requests + 1] = request else call('ZREM', line, ids[index]) end
      end
    end
    return requests
  end

  -- Takes a request out of the queue, or puts it in.
  local function stand(request, queued)
    local id, owner = request.id, request.owner
    local score = request.rankAt - request.priority * pool_rules().ageingMs
    for index = 1, #request.groups do
      local group = request.groups[index]
      local own = P .. 'n:queue:own::' .. part(group) .. part(owner)
      local line = P .. 'n:queue:line::' .. part(group) .. part(owner) .. part(request.sandbox)
      local heads = P .. 'n:queue:heads::' .. part(group)
      if queued then
        call('ZADD', own, integer(score), id)
        call('ZADD', line, integer(score), id)
        call('ZADD', P .. 'n:queue:groups', 0, group)
      else
        call('ZREM', own, id)
        call('ZREM', line, id)
      end
      local first = call('ZRANGE', own, 0, 0)[1]
      local head = first == id and request or nil
      if first and first ~= id and not queued then head = first_of(own, 1)[1] end
      if head then
        call('HSET', heads, owner, head_of(head))
      elseif not first or not queued then
        call('HDEL', heads, owner)
        if call('EXISTS', heads) == 0 then call('ZREM', P .. 'n:queue:groups', group) end
      end
    end
    if queued then
      call('ZADD', P .. 'n:requests', integer(request.submittedAt), id)
      call('ZADD', P .. 'n:requests:until', integer(request.waitUntil), id)
      call('HINCRBY', P .. 'n:queue:count', owner, 1)
    else
      call('ZREM', P .. 'n:requests', id)
      call('ZREM', P .. 'n:requests:until', id)
      if call('HINCRBY', P .. 'n:queue:count', owner, -1) == 0 then call('HDEL', P .. 'n:queue:count', owner) end
    end
  end

  -- Takes a request out for good. When its owner was last served is of interest only while it waits.
  local function leave(request)
    stand(request, false)
    if call('HEXISTS', P .. 'n:queue:count', request.owner) == 0 then call('HDEL', P .. 'n:queue:served', request.owner) end
  end

  local function write_request(request)
    call('SET', P .. 'n:request::' .. request.id, cjson.encode(request))
  end

  -- Takes a waiting request from the queue for good; it can be asked about for a while.
  local function end_request(request, status, reason)
    leave(request)
    request.status = status
    request.endedAt = now
    request.reason = reason
    write_request(request)
    call('ZADD', P .. 'n:requests:ended', integer(now), request.id)
  end

  local function drop_request(request)
    if request.status == 'waiting' then leave(request) end
    call('ZREM', P .. 'n:requests:ended', request.id)
    call('DEL', P .. 'n:request::' .. request.id)
  end

  -- Hands machines out to a request that waited.
  local function grant(request, vms)
    hand_out(request, vms)
    end_request(request, 'granted')
    tell_request('request.granted', request)
  end

  -- The fields of a hash for many members, in their order.
  local function fields_of(key, members)
    local values = {}
    for from = 1, #members, 1000 do
      local some_values = call('HMGET', P .. key, unpack(members, from, math.min(from + 999, #members)))
      for index = 1, #some_values do values[from + index - 1] = tonumber(some_values[index] or '0') end
    end
    return values
  end

  -- Who waits in a group, the next first.
  local function ranked(group)
    local ageing = pool_rules().ageingMs
    local heads = call('HGETALL', P .. 'n:queue:heads::' .. part(group))
    local owners, contenders = {}, {}
    for index = 1, #heads, 2 do owners[#owners + 1] = heads[index] end
    local held = fields_of('n:held:user', owners)
    local served = fields_of('n:queue:served', owners)
    for index = 1, #owners do
      local priority, weight, submitted, id = string.match(heads[2 * index], '^(%S+) (%S+) (%S+) (.*)$')
      submitted = tonumber(submitted)
      contenders[index] = {
        owner = owners[index],
        id = id,
        priority = tonumber(priority) + max(0, math.floor((now - max(submitted, served[index])) / ageing)),
        share = held[index] / tonumber(weight),
        submitted = submitted,
      }
    end
    table.sort(contenders, function(a, b)
      if a.priority ~= b.priority then return a.priority > b.priority end
      if a.share ~= b.share then return a.share < b.share end
      if a.submitted ~= b.submitted then return a.submitted < b.submitted end
      return a.id < b.id
    end)
    return contenders
  end

  -- Requests of an owner by their place; of a sandbox if one is given.
  local function waiting(group, owner, sandbox, limit)
    local place_of = part(group) .. part(owner)
    local key = sandbox and 'n:queue:line::' .. place_of .. part(sandbox) or 'n:queue:own::' .. place_of
    return first_of(P .. key, limit)
  end

  local function serve_owner(group, owner, only_idle)
    local requests = waiting(group, owner, nil, LOOK_AHEAD)
    local tried = {}
    for index = 1, #requests do
      local request = requests[index]
      -- What stopped one stops all that want the same.
      local groups = cjson.encode(request.groups)
      local wish = part(request.sandbox) .. part(request.arch or '') .. integer(request.count) .. groups
      if not tried[wish] then
        tried[wish] = true
        local vms, refusals = pick(request, only_idle)
        if vms then
          grant(request, vms)
          return 'served'
        end
        if not only_idle then
          local only_user_limit = true
          for each = 1, #refusals do
            local kind = refusals[each].kind
            if request.count > 1 and kind == 'no_vm' then return 'reserved' end
            if kind ~= 'user_limit' then only_user_limit = false end
          end
          if only_user_limit then return 'blocked' end
        end
      end
    end
    return 'blocked'
  end

  local function has_idle(group, owner)
    return call('EXISTS', P .. 'n:evict::' .. part(group) .. part(owner)) == 1
  end

  -- Whose own idle machines are looked at too, where no clean one is free: an owner's, everybody's (true), nobody's (nil).
  local function serve_one(group, idle)
    local rules = rules_of(group)
    if rules.draining then return false end
    local any_free = #newest('n:free::' .. part(group), checked_after(rules), 1) > 0
    if not any_free then
      if not idle then return false end
      -- Without a clean machine only the idle ones of the owner itself can serve it.
      if idle ~= true and not has_idle(group, idle) then return false end
    end
    local contenders = ranked(group)
    local clean_too = any_free
    for index = 1, #contenders do
      local owner = contenders[index].owner
      if clean_too or ((idle == true or idle == owner) and has_idle(group, owner)) then
        local result = serve_owner(group, owner, not clean_too)
        if result == 'served' then return true end
        -- A gang that is next keeps the clean ones until there are enough: otherwise it would wait for ever.
        if result == 'reserved' then clean_too = false end
      end
    end
    return false
  end

  -- Gives the free machines of some groups to those who are next.
  local function serve_groups(groups, idle)
    local grants = 0
    for index = 1, #groups do
      while grants < MOST_GRANTS and serve_one(groups[index], idle) do grants = grants + 1 end
    end
  end

  local function waiting_groups()
    return call('ZRANGE', P .. 'n:queue:groups', 0, -1)
  end

  local function freed(vm)
    serve_groups(waiting_groups(), vm.bound_to_user)
  end

  local ACTIVE = {
    'requested', 'building', 'got_ip', 'check_health', 'check_health_failed', 'ready', 'in_use', 'resetting', 'held',
    'drained', 'standby', 'starting',
  }

  -- Whether more owners are before the machine's own than machines are on their way to them.
  local function must_make_room(vm, own_waits)
    local group, rules = vm.group, rules_of(vm.group)
    if rules.maxTotal == 0 or rules.reuseOpportunityMs > 0 then return false end
    if count_states(group, ACTIVE) < rules.maxTotal then return false end
    local ahead = 0
    local contenders = ranked(group)
    for index = 1, #contenders do
      local owner = contenders[index].owner
      if owner == vm.bound_to_user then
        if own_waits then break end
      elseif rules.maxPerUser == 0 or counter('n:bound:user::' .. part(group), owner) < rules.maxPerUser then
        ahead = ahead + 1
      end
    end
    if ahead == 0 then return false end
    local arriving = count_states(group, { 'requested', 'building', 'starting', 'got_ip', 'check_health', 'terminating' })
    return ahead > arriving + #newest('n:free::' .. part(group), checked_after(rules), ahead)
  end

  -- The oldest idle machine of an owner goes when such machines alone fill its limit, unless one is going already.
  local function evict_for_limit(owner, refusals)
    for index = 1, #refusals do
      local refusal = refusals[index]
      if refusal.kind == 'user_limit' and refusal.group then
        local group = refusal.group
        local staying = counter('n:bound:user::' .. part(group), owner) - counter('n:leaving::' .. part(group), owner)
        if staying < rules_of(group).maxPerUser then return end
        local oldest = call('ZRANGE', P .. 'n:evict::' .. part(group) .. part(owner), 0, 0)[1]
        local vm = oldest and load(oldest)
        if vm then
          terminate_one(vm, 'its owner needs the room for another sandbox')
          return
        end
      end
    end
  end

  local function offered(vm)
    local group, owner, sandbox = vm.group, vm.bound_to_user, vm.sandbox
    if not owner or not sandbox then return serve_groups({ group }) end
    local next_one = waiting(group, owner, sandbox, 1)[1]
    if must_make_room(vm, next_one ~= nil) then
      terminate_one(vm, 'others wait, and the group is full')
      return
    end
    if next_one then
      local vms = pick(next_one)
      if vms then
        grant(next_one, vms)
        return
      end
    end
    local blocked = waiting(group, owner, nil, 1)[1]
    if not blocked then return end
    local vms, refusals = pick(blocked)
    if not vms then evict_for_limit(owner, refusals) end
  end

  -- Asks holders of a strictly lower class that allow it to stop, when the groups that would do are full.
  local function preempt_for(request, refusals)
    local groups, grace = {}, 0
    for index = 1, #refusals do
      if refusals[index].kind == 'no_vm' and refusals[index].group then
        groups[#groups + 1] = refusals[index].group
        grace = max(grace, rules_of(refusals[index].group).preemptGraceMs)
      end
    end
    if #groups == 0 then return request end
    -- Those who were asked for it before have their time first.
    if request.preemptedAt and now <= request.preemptedAt + grace then return request end
    for index = 1, #groups do
      local most = rules_of(groups[index]).maxTotal
      if most == 0 or count_states(groups[index], ACTIVE) < most then return request end
    end
    local wanted = request.count
    for index = 1, #groups do
      local group = groups[index]
      if wanted > 0 then
        local below = '(' .. integer(request.priority)
        local names = call('ZRANGEBYSCORE', P .. 'n:preempt::' .. part(group), '-inf', below, 'LIMIT', 0, wanted)
        local holders = load_all(names)
        for each = 1, #holders do
          local vm = holders[each]
          local after = copy(vm)
          after.preempt_at = now + rules_of(group).preemptGraceMs
          save(vm, after)
          local why = 'request ' .. request.id .. ' has priority ' .. integer(request.priority)
          tell_vm('vm.preempting', vm, nil, why)
        end
        wanted = wanted - #holders
      end
    end
    if wanted == request.count then return request end
    request.preemptedAt = now
    write_request(request)
    return request
  end

  made = {
    stand = stand,
    write_request = write_request,
    end_request = end_request,
    drop_request = drop_request,
    serve_groups = serve_groups,
    serve_freed = freed,
    offer = offered,
    evict_for_limit = evict_for_limit,
    preempt_for = preempt_for,
  }
  return made
end
