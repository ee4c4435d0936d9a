import { createHash } from 'node:crypto'

import type { RedisConnection } from '../../packages/mainstay/src/store/redis/index.ts'

/**
 * The reference's way (vm-pool.md A5.2, A5.3), on the same data: an acquire loads every descriptor of the group, one after
 * another, chooses among them in the client, counts those of the owner by loading them all again, and then runs one small
 * script; a release is one script. 2N and a few round trips.
 */
const ACQUIRE = `if redis.call('HGET', KEYS[1], 'state') ~= 'ready' then return nil end
redis.call('HSET', KEYS[1], 'state', 'in_use', 'bound_to_user', ARGV[1], 'used_by_worker', ARGV[2], 'in_use_since', ARGV[3])
return 'OK'`
const RELEASE = `if redis.call('HGET', KEYS[1], 'state') ~= 'in_use' then return nil end
redis.call('HSET', KEYS[1], 'state', 'ready', 'last_release', ARGV[1])
redis.call('HDEL', KEYS[1], 'in_use_since', 'used_by_worker')
redis.call('HINCRBY', KEYS[1], 'builds_count', 1)
return 'OK'`

const PREFIX = 'bench:naive:'

const READY = 'vm_ip 10.0.0.1 group 0 state ready last_health_check 2 check_fails 0 builds_count 0'.split(' ')

/** Writes a group as the reference keeps it. */
export async function fillNaive(redis: RedisConnection, vms: number): Promise<void> {
  for (let from = 0; from < vms; from += 1000) {
    const names = Array.from({ length: Math.min(1000, vms - from) }, (_, index) => `vm-${from + index}`)
    await redis.ask(['SADD', `${PREFIX}vm_pool:set::0`, ...names])
    await Promise.all(
      names.map((name) => redis.ask(['HSET', `${PREFIX}vm_instance:hset::${name}`, 'vm_name', name, ...READY])),
    )
  }
}

/** Pairs per second of one client, for at least `durationMs` and at least one pair. */
export async function naivePairsPerSecond(redis: RedisConnection, durationMs: number): Promise<number> {
  const acquire = script('acquire', ACQUIRE)
  const release = script('release', RELEASE)
  const startedAt = performance.now()
  let pairs = 0
  do {
    const ready = (await loadAll(redis)).filter((vm) => vm.get('state') === 'ready')
    const owned = (await loadAll(redis)).filter((vm) => vm.get('bound_to_user') === 'bob').length
    const dirty = ready.filter((vm) => vm.get('bound_to_user') === 'bob')
    const clean = ready.filter((vm) => !vm.has('bound_to_user'))
    const [vm] = owned < 4 ? [...dirty, ...clean] : dirty
    const key = `${PREFIX}vm_instance:hset::${vm!.get('vm_name')}`
    await redis.ask(['HGET', key, 'check_fails'])
    await redis.runScript(acquire, [key], ['bob', 'w', String(Date.now() / 1000)])
    await redis.runScript(release, [key], [String(Date.now() / 1000)])
    pairs += 1
  } while (performance.now() - startedAt < durationMs)
  return pairs / ((performance.now() - startedAt) / 1000)
}

async function loadAll(redis: RedisConnection): Promise<Map<string, string>[]> {
  const names = (await redis.ask(['SMEMBERS', `${PREFIX}vm_pool:set::0`])) as readonly string[]
  const vms: Map<string, string>[] = []
  for (const name of names) {
    const flat = (await redis.ask(['HGETALL', `${PREFIX}vm_instance:hset::${name}`])) as readonly string[]
    const fields = new Map<string, string>()
    for (let index = 0; index + 1 < flat.length; index += 2) fields.set(flat[index]!, flat[index + 1]!)
    vms.push(fields)
  }
  return vms
}

function script(name: string, source: string) {
  return { name, source, sha1: createHash('sha1').update(source).digest('hex') }
}
