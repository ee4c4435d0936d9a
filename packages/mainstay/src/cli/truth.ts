import { UsageError } from './errors.ts'

const TRUE: ReadonlySet<string> = new Set(['true', '1', 'yes', 'on'])
const FALSE: ReadonlySet<string> = new Set(['false', '0', 'no', 'off'])

/** A flag that takes `true` or `false`, so that leaving it out is a third thing. */
export function truthFlag(brief: string) {
  return { kind: 'parsed', parse: parseTruth, placeholder: 'true|false', brief, optional: true } as const
}

/** @throws UsageError unless the text says yes or no */
export function parseTruth(text: string): boolean {
  const word = text.toLowerCase()
  if (TRUE.has(word)) return true
  if (FALSE.has(word)) return false
  throw new UsageError(`"${text}" is neither true nor false.`)
}
