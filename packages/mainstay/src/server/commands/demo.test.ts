import { describe, expect, test, vi } from 'vitest'

import type { RecoveryStep } from '../../client/index.ts'
import { demoNews } from './demo-news.ts'
import { runDemo, type DemoEnd } from './demo.ts'

// It runs a whole server, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

async function demo(fleet: { hosts: number; guests: number; timeoutMs?: number }): Promise<DemoEnd & { said: string }> {
  const lines: string[] = []
  const print = (text: string): void => void lines.push(text)
  const signal = new AbortController().signal
  const end = await runDemo({ timeoutMs: 45_000, ...fleet, terminal: false, print, signal })
  return { ...end, said: lines.join('') }
}

describe('a fleet that is too small', () => {
  test.each([
    [1, 5],
    [1, 30],
  ])(
    'hosts: %i, guests: %i: the demonstration says whose room is missing, and claims nothing',
    async (hosts, guests) => {
      const { recovered, text, said } = await demo({ hosts, guests })
      expect(recovered).toBe(false)
      expect(text).toMatch(/[Nn]o host has/)
      const restarted = [...said.matchAll(/guest (\w+) is being restarted/g)].map(([, guest]) => guest)
      const running = [...said.matchAll(/guest (\w+) runs on host-\d+\n/g)].map(([, guest]) => guest)
      expect(new Set(restarted)).toEqual(new Set(running))
      const refused = [...said.matchAll(/failed: No host has \d+ MiB free for guest (\w{8})/g)].map(
        ([, guest]) => guest!,
      )
      expect(refused.length).toBeGreaterThan(0)
      expect(refused.filter((guest) => restarted.includes(guest))).toEqual([])
    },
  )
})

test('a fleet with room is recovered, and each guest is said to run where it does', async () => {
  const { recovered, text, said } = await demo({ hosts: 3, guests: 6 })
  expect({ recovered, text }).toEqual({ recovered: true, text: expect.stringContaining('2 guests') as unknown })
  expect(said.match(/guest \w+ runs on host-00[23]\n/g)).toHaveLength(2)
})

test('a recovery that takes too long is said to go on still', async () => {
  const { recovered, text } = await demo({ hosts: 3, guests: 6, timeoutMs: 1 })
  expect({ recovered, text }).toEqual({
    recovered: false,
    text: expect.stringMatching(/^it is still .* after 1 ms\.$/) as unknown,
  })
})

const STEP: RecoveryStep = {
  key: '1/EvacuateInstancesTask/aaaaaaaa-0000-4000-8000-000000000001/evacuate',
  kind: 'act',
  state: 'done',
  attempt: 1,
  at: '2026-01-01T00:00:01.000Z',
  finishedAt: '2026-01-01T00:00:02.000Z',
  input: null,
  output: null,
  error: null,
}
const CONFIRM = STEP.key.replace('/evacuate', '/confirm')

test.each<[what: string, step: Partial<RecoveryStep>, said: string[]]>([
  ['asked for', {}, ['guest aaaaaaaa is being restarted elsewhere']],
  ['only intended', { state: 'intended', finishedAt: null }, []],
  ['refused', { state: 'failed', error: 'No host has room.' }, ['failed: No host has room.']],
  ['waited for', { key: CONFIRM, state: 'intended', finishedAt: null }, []],
  ['seen', { key: CONFIRM, output: 'host-002' }, ['guest aaaaaaaa runs on host-002']],
  ['seen active', { key: CONFIRM, output: { host: 'host-002', state: 'active' } }, ['guest aaaaaaaa runs on host-002']],
])('a restart that is %s', (_what, step, said) => {
  expect(demoNews({ steps: [{ ...STEP, ...step }], decisions: [] }).map(({ text }) => text)).toEqual(said)
})
