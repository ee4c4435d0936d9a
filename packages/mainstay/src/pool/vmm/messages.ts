import { isJsonObject, parseJson, toJson, type JsonObject } from '../../core/json.ts'
import { VmError } from './errors.ts'

export type HealthResult = 'OK' | 'failed'

/**
 * The messages on the pool's bus, by their topic.
 *
 * Source: vm-pool.md A3.
 */
export type BusMessage =
  | { readonly topic: 'vm_spawned'; readonly vm_ip: string; readonly vm_name: string; readonly group: number }
  | {
      readonly topic: 'health_check'
      readonly vm_ip: string
      readonly vm_name: string
      readonly result: HealthResult
      /** Empty when all is well. */
      readonly msg: string
    }
  | {
      readonly topic: 'vm_termination_request'
      readonly group: number
      readonly vm_ip: string
      readonly vm_name: string
    }
  | {
      readonly topic: 'vm_terminated'
      readonly vm_ip: string
      readonly vm_name?: string
      readonly group: number
      readonly result: HealthResult
      readonly msg?: string
    }

/** The text of a message as it goes over the bus. */
export function busText(message: BusMessage): string {
  return toJson(message)
}

/**
 * What somebody sent over the bus. Groups may come as texts.
 *
 * @throws InvalidInputError when it is not JSON, VmError when it is no message of the bus
 */
export function readBusMessage(text: string): BusMessage {
  const raw = parseJson(text, 'A message on the bus of the pool')
  if (!isJsonObject(raw)) throw new VmError('A message on the bus of the pool is no object.')
  const { topic } = raw
  if (topic === undefined || topic === null) throw new VmError('A message on the bus of the pool has no topic.')
  switch (topic) {
    case 'vm_spawned':
    case 'vm_termination_request':
      return { topic, vm_ip: textOf(raw, 'vm_ip'), vm_name: textOf(raw, 'vm_name'), group: groupOf(raw) }
    case 'health_check':
      return {
        topic,
        vm_ip: textOf(raw, 'vm_ip'),
        vm_name: textOf(raw, 'vm_name'),
        result: resultOf(raw),
        msg: messageOf(raw),
      }
    case 'vm_terminated': {
      const name = typeof raw['vm_name'] === 'string' && raw['vm_name'] !== '' ? { vm_name: raw['vm_name'] } : {}
      const ip = typeof raw['vm_ip'] === 'string' ? raw['vm_ip'] : ''
      return { topic, vm_ip: ip, ...name, group: groupOf(raw), result: resultOf(raw), msg: messageOf(raw) }
    }
    default:
      throw new VmError(`A message on the bus of the pool has the unknown topic ${toJson(topic)}.`)
  }
}

function textOf(raw: JsonObject, member: string): string {
  const value = raw[member]
  if (typeof value !== 'string' || value === '')
    throw new VmError(`A message ${toJson(raw['topic'])} on the bus of the pool has no ${member}.`)
  return value
}

function groupOf(raw: JsonObject): number {
  const group = Number(raw['group'] ?? Number.NaN)
  if (!Number.isSafeInteger(group) || group < 0)
    throw new VmError(`A message ${toJson(raw['topic'])} on the bus of the pool names no group.`)
  return group
}

/** Everything but an OK is a failure. */
function resultOf(raw: JsonObject): HealthResult {
  return raw['result'] === 'OK' ? 'OK' : 'failed'
}

function messageOf(raw: JsonObject): string {
  return typeof raw['msg'] === 'string' ? raw['msg'] : ''
}
