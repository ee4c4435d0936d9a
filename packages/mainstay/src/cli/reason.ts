import { UsageError } from './errors.ts'

/** The flag of every command whose reason is kept for whoever asks later. */
export const reasonFlag = {
  kind: 'parsed',
  parse: readReason,
  placeholder: 'TEXT',
  brief: 'Why; it is recorded',
} as const

/** @throws UsageError when it says nothing */
export function readReason(text: string): string {
  if (text.trim() === '') throw new UsageError('The reason is empty. Say why, for whoever asks later.')
  return text.trim()
}
