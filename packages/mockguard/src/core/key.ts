import { nativeJson } from './natives.ts'
/** A property key as the language has it: what `Reflect.ownKeys` returns. */
export type Key = string | symbol

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$_\u200c\u200d]*$/u

/**
 * One step of a path: `.name` for identifiers, `[…]` for everything else. Source: testkit.md B6, path grammar.
 * A name that holds brackets or quotes is quoted, because it could not be read back otherwise.
 */
export function pathStep(key: Key): string {
  if (typeof key === 'symbol') return `[${String(key)}]`
  if (identifier.test(key)) return `.${key}`
  return /[[\]"'\n]/.test(key) ? `[${nativeJson.stringify(key)}]` : `[${key}]`
}

/** `<module>#<export>` and what follows: the first step has no dot. */
export function pathFrom(root: string, steps: readonly string[]): string {
  const tail = steps.join('')
  return `${root}#${tail.startsWith('.') ? tail.slice(1) : tail}`
}

/** `get ` or `set ` goes before the last name: `src/x.ts#config.get limit`. */
export function accessorStep(key: Key, access: 'get' | 'set'): string {
  const step = pathStep(key)
  return step.startsWith('.') ? `.${access} ${step.slice(1)}` : `[${access} ${step.slice(1)}`
}
