import { describe, expect, test } from 'vitest'

import { isWish } from './intent.ts'
import { judgeEvent } from './judge-event.ts'
import type { KnownDomain } from './known-domain.ts'
import type { WatchedEvent } from './normalise.ts'
import { REPORT_TABLE } from './report-table.ts'

const domain = { name: 'a', uuid: 'u', id: 1 }
const options = { panicAs: 'native', nowMs: 9 } as const
const lifecycle = (event: number, detail: number): WatchedEvent => ({ id: 0, domain, event, detail })

/** Runs events one after the other; what is told of each. */
function told(events: readonly WatchedEvent[], first?: KnownDomain): (string | undefined)[] {
  let known = first
  return events.map((event) => {
    const judgement = judgeEvent(event, known, options)
    known = judgement.known
    return judgement.fact?.virDomainEvent ?? judgement.suppressed
  })
}

describe('sequences of events as libvirt sends them (monitors 7.4)', () => {
  const started = [lifecycle(4, 0), lifecycle(2, 0)]
  test.each<[string, WatchedEvent[], (string | undefined)[]]>([
    ['SIGKILL of QEMU', [lifecycle(5, 5)], ['STOPPED_FAILED']],
    ['SIGTERM of QEMU, or destroy', [lifecycle(6, 2), lifecycle(5, 1)], [undefined, 'STOPPED_DESTROYED']],
    ['a guest that powers off', [lifecycle(6, 1), lifecycle(5, 0)], [undefined, 'STOPPED_SHUTDOWN']],
    [
      'a power-off told by an old libvirt',
      [lifecycle(6, 0), lifecycle(5, 0)],
      ['SHUTDOWN_FINISHED', 'STOPPED_SHUTDOWN'],
    ],
    [
      'a panic with on_crash=destroy',
      [lifecycle(3, 0), lifecycle(8, 0), lifecycle(5, 2)],
      [undefined, 'CRASHED_PANICKED', 'STOPPED_CRASHED'],
    ],
    ['a disk error with rerror_policy=stop', [lifecycle(3, 2)], ['SUSPENDED_IOERROR']],
    ['a failed start', [{ id: 7, domain }], ['UNKNOWN']],
  ])('%s', (_cause, events, expected) => {
    expect(told([...started, ...events]).slice(2)).toEqual(expected)
  })

  test('IM-8 a pause by an I/O error is told once and cleared by Resumed', () => {
    const ioError = lifecycle(3, 2)
    expect(told([...started, ioError, ioError, lifecycle(4, 0), ioError]).slice(2)).toEqual([
      'SUSPENDED_IOERROR',
      'same_pause',
      undefined,
      'SUSPENDED_IOERROR',
    ])
  })

  test('IM-11 a migration that fails on its way in is not told: the guest runs on where it was', () => {
    expect(told([lifecycle(2, 1), lifecycle(5, 5)])).toEqual([undefined, 'incoming'])
    expect(told([lifecycle(2, 1), lifecycle(4, 1), lifecycle(5, 5)])).toEqual([undefined, undefined, 'STOPPED_FAILED'])
  })

  test('IM-7 exactly the orderly ends are wishes', () => {
    const wishes = REPORT_TABLE.filter(isWish).map(({ virDomainEvent }) => virDomainEvent)
    expect(wishes).toEqual(['STOPPED_SHUTDOWN', 'STOPPED_DESTROYED', 'SHUTDOWN_FINISHED'])
  })
})
