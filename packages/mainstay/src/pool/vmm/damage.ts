import { isIP } from 'node:net'

import { VM_STATES } from './state.ts'

/** Unix seconds, with a fraction or without. */
const TIMES = ['last_health_check', 'in_use_since', 'last_release', 'terminating_since'] as const

const COUNTERS = ['check_fails', 'builds_count'] as const

/** A number as the programs of the reference and Redis both read it. */
const DECIMAL = /^\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i

/** Beyond this a number of milliseconds is not exact any more. */
const LAST_SECOND = Number.MAX_SAFE_INTEGER / 1000

/**
 * What is wrong with the record of a machine that the reference left, for people; null when nothing is. Nobody made such a
 * record on purpose, so nothing is guessed: a machine whose record is taken as it stands would be handed out at an address that
 * leads nowhere, or never be thrown away for its failures.
 *
 * Fields that may be missing are not missed here.
 *
 * Source: vm-pool.md A1, A2, C18.
 *
 * @param raw all fields of the hash
 * @param listing the name under which it is kept, and the groups in whose sets that name is
 */
export function damageOf(
  raw: Readonly<Record<string, string>>,
  { name, groups }: { readonly name: string; readonly groups: readonly number[] },
): string | null {
  const is = (field: string, what: string): string => `its field ${field} is "${raw[field]}", which is ${what}`
  const { vm_name: ownName, vm_ip: ip, group, state } = raw
  if (ownName !== undefined && ownName !== name) return is('vm_name', 'not the name under which it is kept')
  if (ip !== undefined && isIP(ip) === 0) return is('vm_ip', 'no address of IPv4 or IPv6')
  if (state !== undefined && !Object.values<string>(VM_STATES).includes(state)) return is('state', 'an unknown state')
  if (group !== undefined && /^\d+$/.test(group) && !groups.includes(Number(group))) {
    return is('group', `another group than the one whose list it is in (${groups.join(', ')})`)
  }
  const time = TIMES.find((field) => raw[field] !== undefined && !isTime(raw[field]))
  if (time !== undefined) return is(time, 'no time in unix seconds')
  const counter = COUNTERS.find((field) => raw[field] !== undefined && !isCount(raw[field]))
  return counter === undefined ? null : is(counter, 'no whole number')
}

function isTime(text: string): boolean {
  return DECIMAL.test(text) && Number(text) <= LAST_SECOND
}

function isCount(text: string): boolean {
  return /^\d+$/.test(text) && Number.isSafeInteger(Number(text))
}
