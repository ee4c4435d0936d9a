import { UsageError } from './errors.ts'

/** The flag that bounds a list. */
export interface LimitFlags {
  readonly limit?: number
}

export const limitFlag = {
  limit: {
    kind: 'parsed',
    parse: parseCount,
    placeholder: 'N',
    optional: true,
    brief: 'Print at most this many',
  },
} as const

/** @throws UsageError unless the text is a whole number from 0 */
export function parseCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new UsageError(`"${text}" is no whole number from 0.`)
}
