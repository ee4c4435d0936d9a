/** Where the reference keeps its pool: with this prefix the layout is the same byte for byte. */
export const REFERENCE_PREFIX = 'copr:backend:'

/** Where the pool is kept unless the configuration says otherwise. */
export const DEFAULT_PREFIX = 'mainstay:vmpool:'

/**
 * The names of all keys and channels of a pool.
 *
 * Source: vm-pool.md A3.
 */
export class VmmKeys {
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** Set: the names of a group's machines. */
  pool(group: number): string {
    return `${this.#prefix}vm_pool:set::${group}`
  }

  /** Hash: a machine's descriptor. */
  vm(name: string): string {
    return `${this.#prefix}vm_instance:hset::${name}`
  }

  /** Hash: facts about a group, as `last_vm_spawn_start`. */
  poolInfo(group: number): string {
    return `${this.#prefix}vm_pool_info:hset::${group}`
  }

  /** Hash: facts about the master, as `server_start_timestamp`. */
  get serverInfo(): string {
    return `${this.#prefix}server_info:hset::`
  }

  /** Hash: which records the native pool did not adopt and leaves alone, and why. The reference has no such key. */
  get refused(): string {
    return `${this.#prefix}n:refused`
  }

  /** Channel: the messages of the pool, one JSON object each. */
  get bus(): string {
    return `${this.#prefix}vm:pubsub::`
  }

  /** Channel: tells the worker that uses an address that its machine dies. */
  interrupt(ip: string): string {
    return `${this.#prefix}interrupt_build:pubsub::${ip}`
  }

  /** Channel: asks the oldest schedulers to do a task again. */
  get taskEnd(): string {
    return `${this.#prefix}daemons:job_grab:task_end:pubsub::`
  }
}
