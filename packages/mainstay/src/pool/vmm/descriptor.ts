import { VmDescriptorNotFound } from './errors.ts'
import type { VmmKeys } from './keys.ts'
import type { VmmRedis } from './redis.ts'

/** What a descriptor may be made of; null and absent are the same. */
export type RawDescriptor = Readonly<Record<string, string | number | null | undefined>>

const REQUIRED = ['vm_ip', 'vm_name', 'group', 'state'] as const

/** The reference writes this text for what was not given at an acquire. */
const REFERENCE_NOTHING = 'None'

/**
 * What Redis knows of one machine: a hash whose values are texts. Fields that are not known here are kept as they are.
 *
 * The named members are read from those texts: a time or number that is no number counts as absent. The worker may stand
 * under its older name `used_by_pid`.
 *
 * Source: vm-pool.md A2.
 */
export class VmDescriptor {
  readonly #keys: VmmKeys
  readonly #fields: Map<string, string>

  private constructor(fields: Map<string, string>, keys: VmmKeys) {
    this.#fields = fields
    this.#keys = keys
  }

  /** @throws VmDescriptorNotFound when one of `vm_ip`, `vm_name`, `group`, `state` is missing, or the group is no number */
  static fromDict(raw: RawDescriptor, keys: VmmKeys): VmDescriptor {
    const present = Object.entries(raw).filter((entry) => entry[1] !== null && entry[1] !== undefined)
    const fields = new Map(present.map(([field, value]) => [field, String(value)]))
    const missing = REQUIRED.filter((field) => !fields.has(field))
    const name = fields.get('vm_name') ?? 'without a name'
    if (missing.length > 0) {
      throw new VmDescriptorNotFound(
        `The record of machine ${name} lacks ${missing.join(', ')}: it is left alone until somebody repairs or removes it.`,
      )
    }
    if (!/^\d+$/.test(fields.get('group')!)) {
      throw new VmDescriptorNotFound(`The record of machine ${name} names no group: ${fields.get('group')}.`)
    }
    return new VmDescriptor(fields, keys)
  }

  /** @throws VmDescriptorNotFound when there is no such machine, or only a part of its record */
  static async load(redis: VmmRedis, keys: VmmKeys, name: string): Promise<VmDescriptor> {
    const raw = await redis.hGetAll(keys.vm(name))
    if (Object.keys(raw).length === 0) throw new VmDescriptorNotFound(`There is no machine ${name} in the pool.`)
    return VmDescriptor.fromDict({ vm_name: name, ...raw }, keys)
  }

  /** Where it is stored. */
  get vmKey(): string {
    return this.#keys.vm(this.vmName)
  }

  get vmName(): string {
    return this.#fields.get('vm_name')!
  }

  get vmIp(): string {
    return this.#fields.get('vm_ip')!
  }

  get group(): number {
    return Number(this.#fields.get('group'))
  }

  get state(): string {
    return this.#fields.get('state')!
  }

  get boundToUser(): string | null {
    return this.#text('bound_to_user')
  }

  get sandbox(): string | null {
    return this.#text('sandbox')
  }

  get usedByWorker(): string | null {
    return this.#text('used_by_worker') ?? this.#text('used_by_pid')
  }

  /** Unix seconds, as all times here. */
  get inUseSince(): number | null {
    return this.#number('in_use_since')
  }

  get taskId(): string | null {
    return this.#given('task_id')
  }

  get buildId(): string | null {
    return this.#given('build_id')
  }

  get chroot(): string | null {
    return this.#given('chroot')
  }

  /** When the last check started, not when it succeeded. */
  get lastHealthCheck(): number | null {
    return this.#number('last_health_check')
  }

  /** Failures since the last success. */
  get checkFails(): number | null {
    return this.#number('check_fails')
  }

  get lastRelease(): number | null {
    return this.#number('last_release')
  }

  /** Number of completed uses. */
  get buildsCount(): number | null {
    return this.#number('builds_count')
  }

  get terminatingSince(): number | null {
    return this.#number('terminating_since')
  }

  /** All fields that are there, as they are stored. */
  toDict(): Record<string, string> {
    return Object.fromEntries(this.#fields)
  }

  /** Writes all fields. */
  async store(redis: VmmRedis): Promise<void> {
    await redis.hSet(this.vmKey, this.toDict())
  }

  /** Writes one field. */
  async storeField(redis: VmmRedis, field: string, value: string | number): Promise<void> {
    const text = String(value)
    await redis.hSet(this.vmKey, { [field]: text })
    this.#fields.set(field, text)
  }

  /** Reads one field from Redis. @returns null when it is absent */
  async getField(redis: VmmRedis, field: string): Promise<string | null> {
    const value = await redis.hGet(this.vmKey, field)
    if (value === null) this.#fields.delete(field)
    else this.#fields.set(field, value)
    return value
  }

  #text(field: string): string | null {
    return this.#fields.get(field) ?? null
  }

  #given(field: string): string | null {
    const text = this.#text(field)
    return text === REFERENCE_NOTHING ? null : text
  }

  #number(field: string): number | null {
    const text = this.#text(field)
    if (text === null || text.trim() === '') return null
    const value = Number(text)
    return Number.isFinite(value) ? value : null
  }
}
