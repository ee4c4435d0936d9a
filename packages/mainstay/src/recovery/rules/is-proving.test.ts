import { expect, test } from 'vitest'

import type { HistoryEntry, RecordedEntry } from '../../journal/index.ts'
import { isProvingAgain } from './is-proving.ts'

const CERTIFICATE = { host: 'h', validUntil: 9 }
const HELD: HistoryEntry = { kind: 'wait', key: 'k', data: { names: ['retry'], until: 9, held: 'not proved' } }
const LOOK: HistoryEntry = { kind: 'intent', key: 'k', data: { input: null, attempt: 1 } }
const decided = (verdict: Record<string, unknown>): HistoryEntry =>
  ({ kind: 'decision', key: 'k', data: { rule: 'r', inputs: null, verdict } }) as HistoryEntry

test.each<[string, HistoryEntry[], boolean]>([
  ['that was never held', [LOOK], false],
  ['that looks again', [HELD, LOOK], true],
  ['that looked again in vain', [HELD, LOOK, decided({ certificate: null })], true],
  ['that has found its proof', [HELD, LOOK, decided({ certificate: CERTIFICATE })], false],
  ['that was given a word', [HELD, decided(CERTIFICATE)], false],
  ['that is held once more', [HELD, decided({ certificate: CERTIFICATE }), HELD, LOOK], true],
])('a recovery %s: %s', (_what, entries, proving) => {
  const history: RecordedEntry[] = entries.map((entry, seq) => ({ ...entry, seq, fence: 1, at: 0 }))
  expect(isProvingAgain(history)).toBe(proving)
})
