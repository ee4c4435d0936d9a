import { isIP } from 'node:net'

import { VM_STATES } from './state.ts'

/** Unix seconds, with a fraction or without. */
const TIMES = ['last_health_check', 'in_use_since', 'last_release', 'terminating_since'] as const

/** Numbers of failures and uses, and times of the native pool in milliseconds. */
const COUNTERS = ['check_fails', 'builds_count', 'state_since', 'created_at', 'bound_since', 'check_passed_at'] as const

/** A number as the programs of the reference and Redis both read it. */
const DECIMAL = /^\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i

/** Groups are found by this text, so that one number is written in one way. */
const GROUP = /^(?:0|[1-9]\d*)$/

/** Beyond this a number of milliseconds is not exact any more. */
const LAST_SECOND = Number.MAX_SAFE_INTEGER / 1000

export interface Listing {
  readonly name: string
  readonly groups: readonly number[]
  readonly states?: readonly string[]
}

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
 * @param listing the name under which it is kept, the groups in whose sets that name is, and the states that it may be in: those
 * of the reference unless given
 */
export function damageOf(
  raw: Readonly<Record<string, string>>,
  { name, groups, states = Object.values(VM_STATES) }: Listing,
): string | null {
  const is = (field: string, what: string): string => `its field ${field} is "${raw[field]}", which is ${what}`
  const { vm_name: ownName, vm_ip: ip, group, state } = raw
  if (groups.length > 1)
    return `its name is in the lists of the groups ${groups.join(' and ')}, and a machine is of one group`
  if (ownName !== undefined && ownName !== name) return is('vm_name', 'not the name under which it is kept')
  if (ip !== undefined && isIP(ip) === 0) return is('vm_ip', 'no address of IPv4 or IPv6')
  if (state !== undefined && !states.includes(state)) return is('state', 'an unknown state')
  if (group !== undefined && !GROUP.test(group)) return is('group', 'not how the number of a group is written')
  if (group !== undefined && !groups.includes(Number(group))) {
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
