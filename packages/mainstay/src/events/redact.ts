import type { Json, JsonObject } from '../core/json.ts'
import { maskUrl } from '../core/mask-secrets.ts'

/** Stands for what is not shown. */
export const PLACEHOLDER = '***'

/** Names of members, in lower case without separators, whose values are never stored. Source: event-stream.md R32. */
const SECRET_NAME =
  /password|passwd|passphrase|secret|token|credential|privatekey|configdrive|adminpass|apikey|authorization|cookie/

/** The request context of a service, which may carry tokens; dropped as a whole. */
const CONTEXT_PREFIX = '_context_'

/** Everything in it may let somebody into a machine's management controller. */
const SECRET_OBJECT = 'driver_info'

/** Deeper values are cut off: nothing that is meant to be read is that deep, and a hostile body could be. */
const MAX_DEPTH = 64

/** Names are judged once; beyond this many the memory of them begins anew. */
const MAX_NAMES = 10_000

/**
 * A payload without secrets: the context of requests is gone, values under secret names are masked, passwords in URLs
 * too. Nothing is copied that does not change.
 *
 * Source: event-stream.md R32 and 8.6.
 */
export function redact(payload: JsonObject): JsonObject {
  return redactObject(payload, 0)
}

function redactValue(value: Json, depth: number): Json {
  if (typeof value === 'string') return maskUrl(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MAX_DEPTH) return '[…]'
  return isList(value) ? redactList(value, depth + 1) : redactObject(value, depth + 1)
}

function redactList(list: readonly Json[], depth: number): readonly Json[] {
  let changed: Json[] | undefined
  for (const [index, value] of list.entries()) {
    const shown = redactValue(value, depth)
    if (shown === value) continue
    changed ??= [...list]
    changed[index] = shown
  }
  return changed ?? list
}

function redactObject(object: JsonObject, depth: number): JsonObject {
  let changed: [string, Json][] | undefined
  const names = Object.keys(object)
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index]!
    const value = object[name]!
    const judgement = judge(name)
    const shown = judgement === 'open' ? redactValue(value, depth) : judgement === 'dropped' ? undefined : mask(value)
    if (shown === value && changed === undefined) continue
    changed ??= names.slice(0, index).map((before) => [before, object[before]!])
    if (shown !== undefined) changed.push([name, shown])
  }
  return changed === undefined ? object : Object.fromEntries(changed)
}

/** Every text and number in it; that there is nothing, or a mere yes or no, gives no secret away. */
function mask(value: Json): Json {
  if (value === null || value === '' || typeof value === 'boolean') return value
  if (typeof value !== 'object') return PLACEHOLDER
  if (isList(value)) return value.length === 0 ? value : PLACEHOLDER
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, maskWhole(member)]))
}

function maskWhole(value: Json): Json {
  return value === null || value === '' || typeof value === 'boolean' ? value : PLACEHOLDER
}

type Judgement = 'open' | 'masked' | 'dropped'

let judged = new Map<string, Judgement>()

function judge(name: string): Judgement {
  const known = judged.get(name)
  if (known !== undefined) return known
  if (judged.size >= MAX_NAMES) judged = new Map()
  const judgement = judgeName(name)
  judged.set(name, judgement)
  return judgement
}

function judgeName(name: string): Judgement {
  if (name.startsWith(CONTEXT_PREFIX)) return 'dropped'
  if (name === SECRET_OBJECT) return 'masked'
  return SECRET_NAME.test(name.toLowerCase().replaceAll(/[-_. ]/g, '')) ? 'masked' : 'open'
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
