import { withDeadline } from '../../../packages/mainstay/src/core/deadline.ts'
import { ManualClock, SystemClock } from '../../../packages/mainstay/src/core/clock.ts'
import { parseJson, type Json } from '../../../packages/mainstay/src/core/json.ts'
import { silentLogger, type Logger } from '../../../packages/mainstay/src/core/logging.ts'
import {
  DEFAULT_VMM_GROUP,
  DEFAULT_VMM_OPTIONS,
  REFERENCE_PREFIX,
  RedisDriver,
  VmManager,
  VmmKeys,
  type BusItem,
  type VmDescriptor,
  type VmmGroup,
  type VmmOptions,
} from '../../../packages/mainstay/src/pool/vmm/index.ts'
import type { PrivateRedis } from './private-redis.ts'

const times = {
  vmSpawnMinInterval: 30,
  vmDirtyTerminatingTimeout: 120,
  vmHealthCheckPeriod: 10,
  vmHealthCheckMaxTime: 60,
  vmTerminatingTimeout: 300,
}

/** Group 0 of the fixture of vm-pool.md part B. */
export const BASE: VmmGroup = {
  ...DEFAULT_VMM_GROUP,
  ...times,
  name: 'base',
  archs: ['i386', 'x86_64'],
  maxVmTotal: 5,
  maxSpawnProcesses: 3,
}

/** Group 1: without the limits of spawning. */
export const ARM: VmmGroup = {
  ...DEFAULT_VMM_GROUP,
  ...times,
  name: 'arm',
  archs: ['armV7'],
  maxVmTotal: undefined,
  maxSpawnProcesses: undefined,
}

export function vmmOptions(groups: readonly VmmGroup[] = [BASE, ARM], options: Partial<VmmOptions> = {}): VmmOptions {
  return { ...DEFAULT_VMM_OPTIONS, prefix: REFERENCE_PREFIX, vmCycleTimeout: 10, sleeptime: 0.1, ...options, groups }
}

/** A pool on a private Redis whose clock stands at second 0. */
export class PoolFixture {
  readonly redis: RedisDriver
  readonly clock = new ManualClock(0)
  readonly logger = silentLogger()
  readonly keys: VmmKeys
  readonly manager: VmManager
  readonly options: VmmOptions
  readonly #server: PrivateRedis

  constructor(server: PrivateRedis, options: VmmOptions = vmmOptions()) {
    this.#server = server
    this.options = options
    this.keys = new VmmKeys(options.prefix)
    this.redis = new RedisDriver(server.connection, { clock: new SystemClock(), logger: this.logger })
    this.manager = new VmManager(options, this)
  }

  /** What every part of the pool is given. */
  get dependencies(): { readonly redis: RedisDriver; readonly clock: ManualClock; readonly logger: Logger } {
    return { redis: this.redis, clock: this.clock, logger: this.logger }
  }

  /** Moves the wall clock to a second. */
  at(second: number): void {
    this.clock.setWallClock(second * 1000)
  }

  /** a1, a2, a3 in group 0 and b1, b2, b3 in group 1, just added. */
  async addSix(): Promise<void> {
    for (const [index, name] of ['a1', 'a2', 'a3', 'b1', 'b2', 'b3'].entries()) {
      await this.manager.addVmToPool(`127.0.0.${index + 1}`, name, index < 3 ? 0 : 1)
    }
  }

  async addVm(name: string, group = 0, fields: Record<string, string | number> = {}): Promise<VmDescriptor> {
    const vm = await this.manager.addVmToPool(`127.0.0.1`, name, group)
    await this.set(name, fields)
    return vm
  }

  /** Writes fields of a machine as they are. */
  async set(name: string, fields: Record<string, string | number>): Promise<void> {
    if (Object.keys(fields).length === 0) return
    await this.redis.hSet(
      this.keys.vm(name),
      Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, String(v)])),
    )
  }

  async delete(name: string, ...fields: readonly string[]): Promise<void> {
    await this.#server.connection.ask(['HDEL', this.keys.vm(name), ...fields])
  }

  async get(name: string, field: string): Promise<string | null> {
    return await this.redis.hGet(this.keys.vm(name), field)
  }

  async fields(name: string): Promise<Readonly<Record<string, string>>> {
    return await this.redis.hGetAll(this.keys.vm(name))
  }

  async serverStartedAt(second: number): Promise<void> {
    await this.redis.hSet(this.keys.serverInfo, { server_start_timestamp: String(second) })
  }

  async listen(channel = this.keys.bus): Promise<Heard> {
    return await Heard.on(this.redis, channel)
  }
}

const PATIENCE_MS = 30_000

/** What is published on a channel. */
export class Heard implements AsyncDisposable {
  readonly #stopping: AbortController
  readonly #redis: RedisDriver
  readonly #channel: string
  readonly #messages: string[] = []
  readonly #reading: Promise<void>
  #changed = Promise.withResolvers<void>()

  private constructor(redis: RedisDriver, channel: string, items: AsyncIterable<BusItem>, stopping: AbortController) {
    this.#redis = redis
    this.#channel = channel
    this.#stopping = stopping
    this.#reading = this.#read(items)
  }

  static async on(redis: RedisDriver, channel: string): Promise<Heard> {
    const stopping = new AbortController()
    return new Heard(redis, channel, await redis.subscribe(channel, { signal: stopping.signal }), stopping)
  }

  /** Everything that was published until now, in order. */
  async texts(): Promise<string[]> {
    const mark = `mark ${this.#messages.length}`
    await this.#redis.publish(this.#channel, mark)
    const clock = new SystemClock()
    await withDeadline({ clock, what: 'Hearing a mark', timeoutMs: PATIENCE_MS }, async () => {
      while (!this.#messages.includes(mark)) await this.#changed.promise
    })
    return this.#messages.filter((text) => !text.startsWith('mark '))
  }

  async messages(): Promise<Json[]> {
    return (await this.texts()).map((text) => parseJson(text, 'A message'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#reading
  }

  async #read(items: AsyncIterable<BusItem>): Promise<void> {
    for await (const { type, data } of items) {
      if (type !== 'message') continue
      this.#messages.push(data)
      this.#changed.resolve()
      this.#changed = Promise.withResolvers()
    }
  }
}
