/**
 * The statements of the pool on SQLite: fixed texts, because building one costs more than running it. Each looks only at
 * what it finds, by an index of the migration `0004-pools`.
 */
export const SETTINGS = `select version, server_started_at, leader, fence, leader_until,
  exists (select 1 from pool_queue) as waiting from pool_settings`
export const CONFIGURATION = 'select configuration from pool_settings where version = ?'
export const SAVE_SETTINGS = `insert into pool_settings
  (id, version, configuration, server_started_at, leader, fence, leader_until) values (1, ?, ?, ?, ?, ?, ?)
  on conflict (id) do update set version = excluded.version, configuration = excluded.configuration,
  server_started_at = excluded.server_started_at, leader = excluded.leader, fence = excluded.fence,
  leader_until = excluded.leader_until`

export const VM = 'select descriptor from pool_vms where name = ?'
export const VMS = `select v.descriptor from json_each(?) n join pool_vms v on v.name = n.value order by n.key`
export const INSERT_VM = `insert into pool_vms (grp, state, state_since, free_at, idle_at, evict_at, deadline,
  preempt_priority, bound_user, bound_sandbox, leaving, held, held_arch, hold_owner, ip, task_id, request_id, descriptor,
  name) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
export const UPDATE_VM = `update pool_vms set grp = ?, state = ?, state_since = ?, free_at = ?, idle_at = ?, evict_at = ?,
  deadline = ?, preempt_priority = ?, bound_user = ?, bound_sandbox = ?, leaving = ?, held = ?, held_arch = ?,
  hold_owner = ?, ip = ?, task_id = ?, request_id = ?, descriptor = ? where name = ?`
export const DELETE_VM = 'delete from pool_vms where name = ?'

export const BY_REQUEST = 'select descriptor from pool_vms where request_id = ? order by name'
export const BY_TASK = 'select descriptor from pool_vms where task_id = ? order by name'
export const BY_IP = 'select descriptor from pool_vms where ip = ? order by name'
export const FREE = `select descriptor from pool_vms where grp = ? and free_at > ?
  order by free_at desc, name desc limit ?`
export const IDLE = `select descriptor from pool_vms where grp = ? and bound_user = ? and bound_sandbox = ? and idle_at > ?
  order by idle_at desc, name desc limit ?`
export const EVICTABLE = `select descriptor from pool_vms where grp = ? and bound_user = ? and evict_at is not null
  order by evict_at, name limit 1`
export const PREEMPTIBLE = `select descriptor from pool_vms where grp = ? and preempt_priority < ?
  order by preempt_priority, name limit ?`
export const DUE = 'select descriptor from pool_vms where deadline <= ? order by deadline, name limit ?'
export const NEXT_DUE = 'select min(deadline) as at from pool_vms where deadline is not null'
export const PAGE = 'select descriptor from pool_vms where name > ? and (? is null or grp = ?) order by name limit ?'
/** Jumps from group to group; of all that are found only the names are sorted. */
export const PAGE_STATES = `with recursive groups (grp) as (
    select min(grp) from pool_vms
    union all
    select (select min(v.grp) from pool_vms v where v.grp > groups.grp) from groups where groups.grp is not null
  )
  select descriptor from pool_vms where name in (
    select v.name from groups g join json_each(?) s join pool_vms v on v.grp = g.grp and v.state = s.value and v.name > ?
    where ? is null or g.grp = ? order by v.name limit ?
  ) order by name`
export const NAMES_AFTER = 'select descriptor from pool_vms where name > ? order by name limit ?'
export const ALL_ROWS = 'select * from pool_vms order by name'

export const COUNT_HELD = 'select count(*) as n from pool_vms where held = 1 and bound_user = ?'
export const COUNT_HELD_SANDBOX = `select count(*) as n from pool_vms where held = 1 and bound_user = ?
  and bound_sandbox = ?`
export const COUNT_HELD_ARCH = 'select count(*) as n from pool_vms where held_arch = ?'
export const COUNT_BOUND = `select count(*) as user, coalesce(sum(bound_sandbox = ?), 0) as sandbox,
  coalesce(sum(leaving), 0) as leaving from pool_vms where grp = ? and bound_user = ?`
export const COUNT_BOUND_BY_GROUP = `select g.value as grp, count(*) as n from json_each(?) g
  join pool_vms v on v.grp = g.value and v.bound_user = ? group by g.value`
export const COUNT_STATES = `select count(*) as n from pool_vms where grp = ?
  and state in (select value from json_each(?))`
export const COUNT_ALL_STATES = 'select grp, state, count(*) as n from pool_vms group by grp, state'
export const COUNT_FREE = 'select count(*) as n from pool_vms where grp = ? and free_at > ?'
export const COUNT_HOLDS = 'select count(*) as n from pool_vms where hold_owner = ?'

export const INFO = 'select value from pool_info where grp = ? and key = ?'
export const SAVE_INFO = `insert into pool_info (grp, key, value) values (?, ?, ?)
  on conflict (grp, key) do update set value = excluded.value`

export const REQUEST = 'select request from pool_requests where id = ?'
export const SAVE_REQUEST = `insert into pool_requests
  (id, waiting, owner, priority, weight, submitted_at, over_at, request) values (?, ?, ?, ?, ?, ?, ?, ?)
  on conflict (id) do update set waiting = excluded.waiting, priority = excluded.priority, over_at = excluded.over_at,
  request = excluded.request`
export const DELETE_REQUEST = 'delete from pool_requests where id = ?'
export const ENQUEUE = `insert into pool_queue (grp, owner, sandbox, score, id)
  select value, ?, ?, ?, ? from json_each(?)`
export const DEQUEUE = 'delete from pool_queue where id = ?'
export const FORGET_SERVED = `delete from pool_served where owner = ?
  and not exists (select 1 from pool_requests r where r.owner = pool_served.owner and r.waiting = 1)`
export const SET_SERVED = `insert into pool_served (owner, at) select ?1, ?2
  where exists (select 1 from pool_requests r where r.owner = ?1 and r.waiting = 1)
  on conflict (owner) do update set at = excluded.at`
/** Jumps from owner to owner, so that an owner's long queue is not read. */
export const CONTENDERS = `with recursive owners (owner) as (
    select min(owner) from pool_queue where grp = ?1
    union all
    select (select min(q.owner) from pool_queue q where q.grp = ?1 and q.owner > owners.owner)
    from owners where owners.owner is not null
  )
  select r.id, o.owner, r.priority, r.weight, r.submitted_at, coalesce(s.at, 0) as served_at,
    (select count(*) from pool_vms v where v.held = 1 and v.bound_user = o.owner) as held
  from owners o
  join pool_requests r on r.id =
    (select q.id from pool_queue q where q.grp = ?1 and q.owner = o.owner order by q.score, q.id limit 1)
  left join pool_served s on s.owner = o.owner
  where o.owner is not null`
export const WAITING = `select r.request from pool_queue q join pool_requests r on r.id = q.id
  where q.grp = ? and q.owner = ? order by q.score, q.id limit ?`
export const WAITING_SANDBOX = `select r.request from pool_queue q join pool_requests r on r.id = q.id
  where q.grp = ? and q.owner = ? and q.sandbox = ? order by q.score, q.id limit ?`
export const WAITING_GROUPS = `with recursive groups (grp) as (
    select min(grp) from pool_queue
    union all
    select (select min(q.grp) from pool_queue q where q.grp > groups.grp) from groups where groups.grp is not null
  )
  select grp from groups where grp is not null`
export const COUNT_WAITING = 'select count(*) as n from pool_queue where grp = ?'
export const OVERDUE = `select request from (
    select request, over_at as at, id from pool_requests where waiting = 1 and over_at <= ?1
    union all
    select request, over_at + ?2 as at, id from pool_requests where waiting = 0 and over_at <= ?1 - ?2
  ) order by at, id limit ?3`
export const COUNT_OVERDUE = `select count(*) as n from pool_requests
  where (waiting = 1 and over_at <= ?1) or (waiting = 0 and over_at <= ?1 - ?2)`
export const REQUEST_PAGE = `select request from pool_requests where waiting = 1 and (submitted_at, id) > (?, ?)
  order by submitted_at, id limit ?`
export const ALL_WAITING = 'select request from pool_requests where waiting = 1'
export const CLEAR_QUEUE = 'delete from pool_queue'
export const ALL_QUEUED = 'select grp, owner, sandbox, score, id from pool_queue'

export const FAILURE_HOLDS = 'select rule from pool_failure_holds order by id'
export const SAVE_FAILURE_HOLD = `insert into pool_failure_holds (id, rule) values (?, ?)
  on conflict (id) do update set rule = excluded.rule`
export const DELETE_FAILURE_HOLD = 'delete from pool_failure_holds where id = ? returning id'

export const TELL = `insert into event_outbox (event_id, event, at)
  select value ->> 0, value ->> 1, value ->> 2 from json_each(?) order by key`
