import { nearest } from '../config/nearest.ts'
import type { Readiness } from './readiness.ts'

/** What a condition of each kind looks like. */
const kinds: Readonly<Record<string, (value: unknown) => boolean>> = {
  http: isText,
  log: (value) => value instanceof RegExp,
  port: isText,
  unix: isText,
  file: isText,
  exec: (value) => Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === 'string'),
  sql: isText,
  fn: (value) => typeof value === 'function',
  notify: (value) => value === true,
  all: Array.isArray,
  any: Array.isArray,
}
const timings = ['timeoutMs', 'intervalMs'] as const

/**
 * Refuses what is no condition, at every depth.
 *
 * @param where the condition's place in the spec, for the message
 * @param bad throws
 */
export function checkReadiness(ready: Readiness, where: string, bad: (what: string) => never): void {
  const value: unknown = ready
  if (typeof value !== 'object' || value === null)
    return bad(`${where} cannot be ${JSON.stringify(value) ?? 'undefined'}: write { http: '/healthz' } or the like`)
  const entries: Readonly<Record<string, unknown>> = { ...value }
  const found = Object.keys(kinds).filter((kind) => entries[kind] !== undefined)
  const [kind] = found
  if (kind === undefined) {
    const [first] = Object.keys(entries)
    const near = first === undefined ? undefined : nearest(first, Object.keys(kinds))
    const hint = near === undefined ? `use one of ${Object.keys(kinds).join(', ')}` : `did you mean "${near}"?`
    return bad(`${where} is no condition (${first === undefined ? 'it is empty' : `"${first}" is not known`}): ${hint}`)
  }
  if (found.length > 1) return bad(`${where} has ${found.join(' and ')} at once: write { all: [{ … }, { … }] }`)
  if (kinds[kind]?.(entries[kind]) !== true) return bad(`${where}.${kind} cannot be ${JSON.stringify(entries[kind])}`)
  for (const timing of timings) {
    const ms = entries[timing]
    if (ms !== undefined && !(typeof ms === 'number' && ms >= 0)) bad(`${where}.${timing} must be milliseconds`)
  }
  if ('all' in ready) for (const part of ready.all) checkReadiness(part, `${where}.all`, bad)
  if ('any' in ready) for (const part of ready.any) checkReadiness(part, `${where}.any`, bad)
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}
