import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { factOf, REPORT_TABLE } from './report-table.ts'

const native = { panicAs: 'native' } as const

describe('what is reported of a guest (monitors 7.3)', () => {
  test.each([
    // id, type, detail → event, vir_domain_event
    [0, 3, 2, 'LIFECYCLE', 'SUSPENDED_IOERROR'],
    [0, 3, 3, 'LIFECYCLE', 'SUSPENDED_WATCHDOG'],
    [0, 3, 6, 'LIFECYCLE', 'SUSPENDED_API_ERROR'],
    [0, 5, 0, 'LIFECYCLE', 'STOPPED_SHUTDOWN'],
    [0, 5, 1, 'LIFECYCLE', 'STOPPED_DESTROYED'],
    [0, 5, 5, 'LIFECYCLE', 'STOPPED_FAILED'],
    [0, 6, 0, 'LIFECYCLE', 'SHUTDOWN_FINISHED'],
    [1, -1, -1, 'REBOOT', 'UNKNOWN'],
    [3, 0, -1, 'WATCHDOG', 'WATCHDOG_NONE'],
    [3, 1, -1, 'WATCHDOG', 'WATCHDOG_PAUSE'],
    [3, 2, -1, 'WATCHDOG', 'WATCHDOG_RESET'],
    [3, 3, -1, 'WATCHDOG', 'WATCHDOG_POWEROFF'],
    [3, 4, -1, 'WATCHDOG', 'WATCHDOG_SHUTDOWN'],
    [3, 5, -1, 'WATCHDOG', 'WATCHDOG_DEBUG'],
    [4, 0, -1, 'IO_ERROR', 'IO_ERROR_NONE'],
    [4, 1, -1, 'IO_ERROR', 'IO_ERROR_PAUSE'],
    [4, 2, -1, 'IO_ERROR', 'IO_ERROR_REPORT'],
    [6, -1, -1, 'IO_ERROR_REASON', 'UNKNOWN'],
    [7, -1, -1, 'CONTROL_ERROR', 'UNKNOWN'],
  ])('the reference reports event %i/%i/%i as %s %s', (id, type, detail, event, virDomainEvent) => {
    expect(factOf({ id, type, detail }, native)).toEqual({ event, virDomainEvent })
  })

  test.each([
    [0, 8, 0, 'LIFECYCLE', 'CRASHED_PANICKED'],
    [0, 8, 1, 'LIFECYCLE', 'CRASHED_CRASHLOADED'],
    [0, 5, 2, 'LIFECYCLE', 'STOPPED_CRASHED'],
    [0, 3, 8, 'LIFECYCLE', 'SUSPENDED_POSTCOPY_FAILED'],
    [3, 6, -1, 'WATCHDOG', 'WATCHDOG_INJECTNMI'],
    [25, 2, -1, 'MEMORY_FAILURE', 'MEMORY_FAILURE_FATAL'],
  ])('Mainstay also reports event %i/%i/%i as %s %s', (id, type, detail, event, virDomainEvent) => {
    expect(factOf({ id, type, detail }, native)).toEqual({ event, virDomainEvent })
  })

  test.each([
    ['SHUTDOWN_GUEST', 0, 6, 1],
    ['SHUTDOWN_HOST', 0, 6, 2],
    ['STOPPED_MIGRATED', 0, 5, 3],
    ['STOPPED_SAVED', 0, 5, 4],
    ['STOPPED_FROM_SNAPSHOT', 0, 5, 6],
    ['SUSPENDED_PAUSED', 0, 3, 0],
    ['SUSPENDED_MIGRATED', 0, 3, 1],
    ['SUSPENDED_RESTORED', 0, 3, 4],
    ['SUSPENDED_FROM_SNAPSHOT', 0, 3, 5],
    ['SUSPENDED_POSTCOPY', 0, 3, 7],
    ['RESUMED_UNPAUSED', 0, 4, 0],
    ['STARTED_BOOTED', 0, 2, 0],
    ['PMSUSPENDED_MEMORY', 0, 7, 0],
    ['DEFINED_ADDED', 0, 0, 0],
    ['UNDEFINED_REMOVED', 0, 1, 0],
    ['RTC_CHANGE', 2, -1, -1],
    ['GRAPHICS', 5, -1, 0],
    ['DISK_CHANGE', 9, -1, -1],
    ['a repaired memory failure', 25, 0, -1],
    ['a memory failure given to the guest', 25, 1, -1],
    ['a memory failure that resets the guest', 25, 3, -1],
  ])('%s is dropped', (_name, id, type, detail) => {
    expect(factOf({ id, type, detail }, native)).toBeUndefined()
  })

  test.each([
    [0, 8, 0],
    [0, 8, 1],
    [0, 5, 2],
  ])('panic_as = stopped_failed tells event %i/%i/%i as STOPPED_FAILED', (id, type, detail) => {
    const told = factOf({ id, type, detail }, { panicAs: 'stopped_failed' })
    expect(told).toEqual({ event: 'LIFECYCLE', virDomainEvent: 'STOPPED_FAILED' })
  })

  test('panic_as changes nothing but panics', () => {
    const others = REPORT_TABLE.filter((row) => !row.panic)
    expect(others).toHaveLength(22)
    for (const row of others) expect(factOf(row, { panicAs: 'stopped_failed' })).toEqual(factOf(row, native))
  })

  test('whatever is not in the table is dropped', () => {
    const triple = fc.record({
      id: fc.nat(30),
      type: fc.integer({ min: -1, max: 12 }),
      detail: fc.integer({ min: -1, max: 12 }),
    })
    const inTable = (t: { id: number; type: number; detail: number }): boolean =>
      REPORT_TABLE.some((row) => row.id === t.id && row.type === t.type && row.detail === t.detail)
    fc.assert(
      fc.property(triple, (t) => {
        expect(factOf(t, native) !== undefined).toBe(inTable(t))
      }),
    )
  })
})
