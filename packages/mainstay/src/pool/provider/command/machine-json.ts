import { isIP } from 'node:net'

import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'

import { parseJson } from '../../../core/json.ts'
import type { Machine, MachineStatus, ProviderQuota, ProviderResource } from '../provider.ts'
import { readTags } from '../tags.ts'
import { HookAnswerError } from './hook-answer-error.ts'

const MACHINE_STATUSES = ['building', 'running', 'stopped', 'error', 'deleting', 'unknown'] as const

const texts = Type.Record(Type.String(), Type.String())
const machine = Type.Object({
  vm_name: Type.String({ minLength: 1 }),
  vm_ip: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  id: Type.Optional(Type.String({ minLength: 1 })),
  state: Type.Optional(Type.String()),
  tags: Type.Optional(Type.Union([texts, Type.Null()])),
  data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
})
const resource = Type.Object({
  kind: Type.Union([Type.Literal('volume'), Type.Literal('address'), Type.Literal('key_pair')]),
  id: Type.String({ minLength: 1 }),
  name: Type.Optional(Type.String()),
  tags: Type.Optional(Type.Union([texts, Type.Null()])),
})
const use = Type.Optional(
  Type.Union([
    Type.Object({ used: Type.Number({ minimum: 0 }), limit: Type.Union([Type.Number({ minimum: 0 }), Type.Null()]) }),
    Type.Null(),
  ]),
)
const quota = Type.Object({ machines: use, vcpus: use, memory_mib: use })

const checks = {
  machines: Compile(Type.Array(machine)),
  machine: Compile(Type.Union([machine, Type.Null()])),
  resources: Compile(Type.Array(resource)),
  quota: Compile(quota),
}

/** A list hook's answer: a JSON array, or an object with the array as `machines`. @throws HookAnswerError */
export function readMachines(stdout: string): Machine[] {
  const answer = unwrapped(stdout, 'list', 'machines')
  if (!checks.machines.Check(answer)) throw new HookAnswerError('list', 'an array of machines', stdout)
  return answer.map(machineOf)
}

/** A describe hook's answer: a JSON object, or null for a machine that does not exist. @throws HookAnswerError */
export function readMachine(stdout: string): Machine | undefined {
  const answer = json(stdout, 'describe', 'a machine or null')
  if (!checks.machine.Check(answer)) throw new HookAnswerError('describe', 'a machine or null', stdout)
  return answer === null ? undefined : machineOf(answer)
}

/** @throws HookAnswerError */
export function readResources(stdout: string): ProviderResource[] {
  const answer = unwrapped(stdout, 'list-resources', 'resources')
  if (!checks.resources.Check(answer)) throw new HookAnswerError('list-resources', 'an array of resources', stdout)
  return answer.map(({ kind, id, name = id, tags }) => ({ kind, providerId: id, name, tags: readTags(tags ?? {}) }))
}

/** @throws HookAnswerError */
export function readQuota(stdout: string): ProviderQuota {
  const answer = json(stdout, 'quota', 'a quota')
  if (!checks.quota.Check(answer)) throw new HookAnswerError('quota', 'a quota', stdout)
  return { machines: answer.machines ?? null, vcpus: answer.vcpus ?? null, memoryMib: answer.memory_mib ?? null }
}

function machineOf(entry: Static<typeof machine>): Machine {
  const tags = readTags(entry.tags ?? {})
  const address = entry.vm_ip ?? ''
  return {
    providerId: entry.id ?? entry.vm_name,
    name: tags?.vmName ?? entry.vm_name,
    // A machine that has none yet is told with an empty text or a dash by many tools.
    address: isIP(address) === 0 ? null : address,
    status: statusOf(entry.state),
    tags,
    data: (entry.data ?? {}) as Machine['data'],
  }
}

function statusOf(state: string | undefined): MachineStatus {
  if (state === undefined) return 'running'
  return MACHINE_STATUSES.find((each) => each === state.toLowerCase()) ?? 'unknown'
}

function unwrapped(stdout: string, hook: string, member: string): unknown {
  const answer = json(stdout, hook, `an array of ${member}`)
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return answer
  return (answer as Readonly<Record<string, unknown>>)[member]
}

/** An empty answer is none: only `[]` means that there is nothing. */
function json(stdout: string, hook: string, expected: string): unknown {
  try {
    return parseJson(stdout, `The answer of the ${hook} hook`)
  } catch (cause) {
    throw new HookAnswerError(hook, expected, stdout, { cause })
  }
}
