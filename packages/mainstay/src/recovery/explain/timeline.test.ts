import { array, assert, boolean, constantFrom, nat, property, tuple } from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { HistoryEntry, RecordedEntry } from '../../journal/index.ts'
import { timeline } from './timeline.ts'

const HOUR_MS = 3_600_000
const DISABLE = '1/auto/DisableComputeServiceTask'
const FENCE = '1/auto/FenceHostTask/1/0-command'
const HELD = '1/auto/FenceHostTask/1/held'
const LIST = '1/auto/PrepareHAEnabledInstancesTask/list'
const EVACUATE = '1/auto/EvacuateInstancesTask/g1/evacuate'
const CONFIRM = '1/auto/EvacuateInstancesTask/g1/confirm'

const intent = (key: string): HistoryEntry => ({ kind: 'intent', key, data: { input: null, attempt: 1 } })
const outcome = (key: string): HistoryEntry => ({ kind: 'outcome', key, data: { output: null, attempt: 1 } })
const held: HistoryEntry = { kind: 'wait', key: HELD, data: { names: ['x'], until: 9 * HOUR_MS, held: 'why' } }
const told: HistoryEntry = { kind: 'signal', key: HELD, data: { id: 's', name: 'x', data: null } }
const pause: HistoryEntry = { kind: 'timer', key: '1/pause', data: { delayMs: 5000, until: 6000 } }

function history(...entries: readonly (readonly [number, HistoryEntry])[]): RecordedEntry[] {
  return entries.map(([at, entry], seq) => Object.assign({ seq, fence: 1, at }, entry))
}

function lasted(entries: readonly RecordedEntry[], ended = true): Record<string, number | null> {
  const phases = timeline(entries, { generatedAt: 0, acceptedAt: 100, ended })
  return Object.fromEntries(phases.map(({ phase, lastedMs }) => [phase, lastedMs]))
}

describe('the timeline of a recovery', () => {
  test('counts hours that a person took for the proof, not for what was before and after it', () => {
    const at = 8 * HOUR_MS
    const entries = history(
      [110, intent(DISABLE)],
      [120, outcome(DISABLE)],
      [130, intent(FENCE)],
      [140, held],
      [at, told],
      [at + 10, intent(LIST)],
      [at + 15, outcome(LIST)],
      [at + 20, intent(EVACUATE)],
      [at + 50, outcome(EVACUATE)],
      [at + 51, intent(CONFIRM)],
      [at + 950, outcome(CONFIRM)],
    )
    expect(lasted(entries)).toEqual({ detect: 100, decide: 15, prove: at - 120, act: 20 + 35, confirm: 900 })
  })

  test('counts the pause before another attempt for nothing', () => {
    const entries = history([110, intent(EVACUATE)], [1000, pause], [6100, intent('2/auto/x/evacuate')])
    expect(lasted(entries)).toEqual({ detect: 100, act: 10 + 100 })
  })

  test('says of what still runs that it does', () => {
    expect(lasted(history([110, intent(FENCE)], [120, held]), false)).toEqual({ detect: 100, prove: null })
  })

  test.each([
    ['a person was heard', 'fence-asserted', 'proof of death, with a person’s help'],
    ['only time passed', null, 'proof of death'],
  ])('says who helped to prove: %s', (_what, name, text) => {
    const heard: HistoryEntry = { kind: 'signal', key: HELD, data: { id: name, name, data: null } }
    const phases = timeline(history([110, held], [120, heard]), { generatedAt: 0, acceptedAt: 100, ended: true })
    expect(phases.find(({ phase }) => phase === 'prove')?.text).toBe(text)
  })

  test('counts no moment twice', () => {
    const keys = constantFrom(DISABLE, FENCE, LIST, EVACUATE, CONFIRM)
    const steps = array(tuple(nat(1000), keys, boolean()), { maxLength: 30 })
    assert(
      property(steps, (given) => {
        let at = 100
        const entries = given.map(([delay, key, ends]): readonly [number, HistoryEntry] => {
          at += delay
          return [at, ends ? outcome(key) : intent(key)]
        })
        const parts = Object.values(lasted(history(...entries)))
        expect(parts.reduce((sum: number, ms) => sum + (ms ?? 0), 0)).toBe(at)
      }),
    )
  })
})
