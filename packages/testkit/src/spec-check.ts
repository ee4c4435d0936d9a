import { constants } from 'node:os'
import { nearest } from './config/nearest.ts'
import { TestkitError } from './errors.ts'
import { checkReadiness } from './readiness/readiness-check.ts'
import type { ListenSpec, ServerSpec } from './spec.ts'

const hosts = ['127.0.0.1', '::1', 'unix']
const handovers = ['inherit', 'systemd', 'none']
const engines = ['sqlite', 'postgres', 'mysql', 'redis']

/**
 * Refuses what a spec cannot mean, when the server is added: specs also come from JavaScript and from `as`, and a word that
 * is not understood would silently do something else. Throws TK_BAD_SPEC naming the server and the member.
 */
export function checkSpec<C extends object>(spec: ServerSpec<C>): void {
  const bad = (what: string): never => {
    throw new TestkitError('TK_BAD_SPEC', `server "${spec.name}": ${what}`)
  }
  const { ready, reload, launch, database, stop } = spec
  if (typeof launch !== 'function') mustBeOneOf('launch', launch, ['service', 'oneshot'], bad)
  checkListeners(spec.listen ?? [], bad)
  if (ready !== undefined) for (const part of isList(ready) ? ready : [ready]) checkReadiness(part, 'ready', bad)
  if (reload !== undefined) checkReadiness(reload.done, 'reload.done', bad)
  if (database !== undefined && !('shareWith' in database))
    mustBeOneOf('database.engine', database.engine, engines, bad)
  for (const signal of [stop?.signal, reload?.signal])
    mustBeOneOf('the signal', signal, Object.keys(constants.signals), bad)
}

/** Refuses a word that is none of those known, and names the one that was probably meant. */
export function mustBeOneOf(
  member: string,
  word: unknown,
  known: readonly string[],
  bad: (what: string) => never,
): void {
  if (word === undefined) return
  const text = typeof word === 'string' ? word : JSON.stringify(word)
  if (known.includes(text)) return
  const near = nearest(text, known)
  bad(
    `${member} cannot be ${JSON.stringify(word)}${near === undefined ? `: use ${known.slice(0, 12).join(', ')}` : `; did you mean "${near}"?`}`,
  )
}

function checkListeners(listen: readonly ListenSpec[], bad: (what: string) => never): void {
  const names = new Set<string>()
  for (const { name, host, port, handover, samePort } of listen) {
    // The name stands in lists with commas and colons.
    if (typeof name !== 'string' || !/^[\w.-]+$/.test(name))
      bad(`${JSON.stringify(name)} cannot be a listener's name: use letters, digits, dot, dash`)
    if (names.has(name)) bad(`there are two listeners named "${name}"`)
    names.add(name)
    mustBeOneOf(`the host of listener "${name}"`, host, hosts, bad)
    mustBeOneOf(`samePort of listener "${name}"`, samePort, ['prefer', 'require'], bad)
    if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535))
      bad(`the port of listener "${name}" cannot be ${JSON.stringify(port)}: leave it out for a free one`)
    if (typeof handover !== 'object' || handover === null)
      mustBeOneOf(`the handover of listener "${name}"`, handover, handovers, bad)
    else if (typeof handover.env !== 'string' || handover.env === '')
      bad(`the handover of listener "${name}" names no variable: write { env: 'NAME' }`)
  }
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value)
}
