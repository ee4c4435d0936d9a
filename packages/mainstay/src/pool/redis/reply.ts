import { isJsonObject, parseJson, type JsonObject } from '../../core/json.ts'
import type { RedisReply } from '../../store/redis/index.ts'
import { RedisReplyError } from '../../store/redis/index.ts'
import type { ChangeKind, PoolChange } from '../change.ts'
import type { VmDescriptor } from '../descriptor.ts'
import type { PoolRequest, Refusal, RefusalKind } from '../request.ts'
import type { VmState } from '../state.ts'
import { fieldsOf, readVm } from './fields.ts'

/** What a transition answered. */
export interface Answer {
  readonly result: JsonObject
  readonly changes: readonly PoolChange[]
  /** One list of fields and values, or one text, for each. */
  readonly rest: readonly RedisReply[]
}

/** @throws RedisReplyError when it is not what a transition answers */
export function readAnswer(reply: RedisReply): Answer {
  const [json, changes, rest] = listOf(reply)
  if (typeof json !== 'string') {
    throw new RedisReplyError('A transition of the pool answered something that is no result.')
  }
  const list = listOf(changes) as readonly string[]
  return { result: readObject(json), changes: readChanges(list), rest: listOf(rest) as readonly RedisReply[] }
}

export function machinesOf({ rest }: Answer): VmDescriptor[] {
  return rest.flatMap((flat) => {
    const fields = fieldsOf(flat as readonly string[])
    return readVm(fields.get('vm_name') ?? '', fields) ?? []
  })
}

function readChanges(list: readonly string[]): PoolChange[] {
  const changes: PoolChange[] = []
  for (let index = 0; index + 1 < list.length; index += 2) changes.push(readChange(list[index]!, list[index + 1]!))
  return changes
}

/** @param id the entry's id in the stream */
export function readChange(id: string, json: string): PoolChange {
  const found = readObject(json)
  return {
    id: `pool-${id}`,
    kind: found['kind'] as ChangeKind,
    at: found['at'] as number,
    vm: text(found['vm']),
    group: text(found['group']),
    from: text(found['from']) as VmState | null,
    to: text(found['to']) as VmState | null,
    ip: text(found['ip']),
    owner: text(found['owner']),
    taskId: text(found['taskId']),
    requestId: text(found['requestId']),
    worker: text(found['worker']),
    reason: text(found['reason']),
  }
}

export function readRequest(value: unknown): PoolRequest {
  const found = value as Partial<PoolRequest> & Pick<PoolRequest, 'id'>
  return {
    taskId: null,
    buildId: null,
    chroot: null,
    arch: null,
    leaseMs: null,
    endedAt: null,
    reason: null,
    preemptedAt: null,
    ...found,
  } as PoolRequest
}

export function readRefusals(value: unknown): Refusal[] {
  return listOf(value).map((each) => {
    const found = each as Partial<Refusal> & { readonly kind: RefusalKind }
    return { kind: found.kind, group: found.group ?? null, limit: found.limit ?? null, count: found.count ?? null }
  })
}

/** A list as Lua writes it: an empty one is an object there. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

export function readObject(json: string): JsonObject {
  const found = parseJson(json, 'An answer of the pool in Redis')
  if (!isJsonObject(found)) throw new RedisReplyError(`The pool in Redis holds something that is no object: ${json}`)
  return found
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
