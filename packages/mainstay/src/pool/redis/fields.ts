import { isJsonObject, parseJson } from '../../core/json.ts'
import { newDescriptor, type BeforeCheck, type VmDescriptor } from '../descriptor.ts'
import { parseSeconds } from '../seconds.ts'
import { isVmState } from '../state.ts'

/**
 * The fields of a machine's hash. Those of the reference keep its names and its units, seconds as text; the others are
 * milliseconds. A field that is absent is null.
 *
 * Source: vm-pool.md A2, A3.
 */
const TEXTS = {
  ip: 'vm_ip',
  provider: 'provider',
  providerId: 'provider_id',
  boundToUser: 'bound_to_user',
  sandbox: 'sandbox',
  worker: 'used_by_worker',
  requestId: 'request_id',
  taskId: 'task_id',
  buildId: 'build_id',
  chroot: 'chroot',
  arch: 'arch',
  leaseToken: 'lease_token',
  holdReason: 'hold_reason',
  holdBy: 'hold_by',
  holdOwner: 'hold_owner',
  terminateReason: 'terminate_reason',
} as const satisfies Partial<Record<keyof VmDescriptor, string>>

const NUMBERS = {
  boundSince: 'bound_since',
  leaseMs: 'lease_ms',
  leaseExpiresAt: 'lease_expires_at',
  detachedAt: 'detached_at',
  priority: 'priority',
  preemptAt: 'preempt_at',
  checkPassedAt: 'check_passed_at',
  nextCheckAt: 'next_check_at',
  holdUntil: 'hold_until',
  retireAfter: 'retire_after',
  terminateAgainAt: 'terminate_again_at',
} as const satisfies Partial<Record<keyof VmDescriptor, string>>

const SECONDS = {
  inUseSince: 'in_use_since',
  checkStartedAt: 'last_health_check',
  lastRelease: 'last_release',
  terminatingSince: 'terminating_since',
} as const satisfies Partial<Record<keyof VmDescriptor, string>>

/** Numbers that are 0 where they are absent. */
const COUNTS = {
  stateSince: 'state_since',
  createdAt: 'created_at',
  checkFails: 'check_fails',
  uses: 'builds_count',
  terminateAttempts: 'terminate_attempts',
} as const satisfies Partial<Record<keyof VmDescriptor, string>>

export type VmFields = ReadonlyMap<string, string>

/** What Redis answers to HGETALL, or a transition for a machine. */
export function fieldsOf(flat: readonly string[]): VmFields {
  const fields = new Map<string, string>()
  for (let index = 0; index + 1 < flat.length; index += 2) fields.set(flat[index]!, flat[index + 1]!)
  return fields
}

/** A machine from its hash; null when the hash lacks what a machine cannot do without (C19). */
export function readVm(name: string, fields: VmFields): VmDescriptor | null {
  const group = fields.get('group')
  const state = fields.get('state')
  if (group === undefined || !isVmState(state)) return null
  const drain = fields.get('drain')
  const providerData = fields.get('provider_data')
  return newDescriptor({
    ...each(TEXTS, (field) => fields.get(field) ?? null),
    ...each(NUMBERS, (field) => number(fields, field)),
    ...each(SECONDS, (field) => parseSeconds(fields.get(field))),
    ...each(COUNTS, (field) => number(fields, field) ?? 0),
    worker: fields.get('used_by_worker') ?? fields.get('used_by_pid') ?? null,
    providerData: providerData === undefined ? null : jsonObject(providerData),
    reattach: fields.get('reattach') === '1',
    preemptible: fields.get('preemptible') === '1',
    beforeCheck: beforeCheck(fields),
    drain: drain === 'terminate' || drain === 'keep' ? drain : null,
    name,
    group,
    state,
  })
}

function beforeCheck(fields: VmFields): BeforeCheck | null {
  const state = fields.get('check_from')
  if (!isVmState(state)) return null
  return {
    state,
    stateSince: number(fields, 'check_from_since') ?? 0,
    checkStartedAt: number(fields, 'check_from_started'),
    nextCheckAt: number(fields, 'check_from_next'),
  }
}

function each<Names extends Record<string, string>, Value>(
  names: Names,
  value: (field: string) => Value,
): { [Key in keyof Names]: Value } {
  return Object.fromEntries(Object.entries(names).map(([key, field]) => [key, value(field)])) as {
    [Key in keyof Names]: Value
  }
}

function number(fields: VmFields, field: string): number | null {
  const found = Number(fields.get(field) ?? Number.NaN)
  return Number.isFinite(found) ? found : null
}

function jsonObject(found: string): VmDescriptor['providerData'] {
  try {
    const parsed = parseJson(found, 'the data of a provider')
    return isJsonObject(parsed) ? parsed : null
  } catch {
    // Another program may have written anything there; without it the machine is still known by its name.
    return null
  }
}
