import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { isAlive, type KnownDomain } from './known-domain.ts'
import { reconcile, type CurrentDomain } from './reconcile.ts'

const options = { panicAs: 'native', nowMs: 1_000 } as const

function before(changed: Partial<KnownDomain> = {}): KnownDomain {
  const running = { name: 'a', state: 1, reason: 1, sinceMs: 5, persistent: true }
  return { ...running, incoming: false, pauseTold: null, instanceUuid: null, ...changed }
}

function now(state: number, reason: number, changed: Partial<CurrentDomain> = {}): CurrentDomain {
  return { uuid: 'u', name: 'a', state, reason, persistent: true, ...changed }
}

function findings(previous: KnownDomain | undefined, current: CurrentDomain | undefined): string[] {
  const known = new Map(previous === undefined ? [] : [['u', previous]])
  const { findings: found } = reconcile(known, current === undefined ? [] : [current], options)
  return found.map(({ event, virDomainEvent }) => `${event}/${virDomainEvent}`)
}

const FAILED = ['LIFECYCLE/STOPPED_FAILED']

describe('what happened while nobody listened (monitors 7.5, IM-4)', () => {
  test.each([
    ['crashed', 3, FAILED],
    ['failed', 6, FAILED],
    ['daemon', 8, FAILED],
    ['shutdown', 1, []],
    ['destroyed', 2, []],
    ['migrated', 4, []],
    ['saved', 5, []],
    ['from snapshot', 7, []],
    ['unknown', 0, []],
  ])('was running, is shut off (%s)', (_name, reason, expected) => {
    expect(findings(before(), now(5, reason))).toEqual(expected)
  })

  test.each([
    ['paused by its user', { state: 3, reason: 1 }, FAILED],
    ['suspended to memory', { state: 7, reason: 0 }, FAILED],
    ['blocked', { state: 2, reason: 0 }, FAILED],
    ['shut off already', { state: 5, reason: 6 }, []],
    ['powering off (IM-7)', { state: 4, reason: 0 }, []],
    ['crashed, which was told', { state: 6, reason: 1 }, []],
    ['arriving by migration (IM-11)', { state: 3, reason: 2, incoming: true }, []],
  ])('was %s, is shut off (crashed)', (_name, state, expected) => {
    expect(findings(before(state), now(5, 3))).toEqual(expected)
  })

  test.each([
    ['a transient domain', { persistent: false }, FAILED],
    ['a persistent domain, which somebody has undefined', { persistent: true }, []],
    ['one that was off', { persistent: false, state: 5, reason: 1 }, []],
    ['one that was leaving by migration', { persistent: false, state: 3, reason: 2 }, []],
    ['one that was leaving by post-copy', { persistent: false, state: 3, reason: 12 }, []],
    ['one that was arriving', { persistent: false, incoming: true }, []],
  ])('was there, is absent: %s', (_name, state, expected) => {
    expect(findings(before(state), undefined)).toEqual(expected)
  })

  test.each([
    ['I/O error', 3, 5, 'SUSPENDED_IOERROR'],
    ['watchdog', 3, 6, 'SUSPENDED_WATCHDOG'],
    ['crashed', 3, 10, 'CRASHED_PANICKED'],
    ['post-copy failed', 3, 13, 'SUSPENDED_POSTCOPY_FAILED'],
    ['crashed and kept', 6, 1, 'CRASHED_PANICKED'],
  ])('is paused (%s): told once per pause (IM-8)', (_name, state, reason, virDomainEvent) => {
    expect(findings(before(), now(state, reason))).toEqual([`LIFECYCLE/${virDomainEvent}`])
    expect(findings(undefined, now(state, reason))).toEqual([`LIFECYCLE/${virDomainEvent}`])
    expect(findings(before({ state, reason, pauseTold: virDomainEvent }), now(state, reason))).toEqual([])
  })

  test.each([1, 2, 3, 4, 7, 8, 9, 11, 12])('a pause for the reason %i is nobody’s fault', (reason) => {
    expect(findings(before(), now(3, reason))).toEqual([])
  })

  test('the first start ever stores and tells nothing', () => {
    const domains = [now(5, 3), now(3, 5, { uuid: 'v' }), now(1, 1, { uuid: 'w' })]
    const { findings: found, next } = reconcile(undefined, domains, options)
    expect(found).toEqual([])
    expect([...next.keys()]).toEqual(['u', 'v', 'w'])
    expect(reconcile(next, domains, options).findings).toEqual([])
  })

  test('an end without a reason is pointed out', () => {
    expect(reconcile(new Map([['u', before()]]), [now(5, 0)], options).unexplained).toEqual(['u'])
  })

  test('a domain that has come in the meantime is stored, as arriving when it is', () => {
    const { next, findings: found } = reconcile(new Map(), [now(3, 2), now(1, 1, { uuid: 'v' })], options)
    expect(found).toEqual([])
    expect(next.get('u')).toMatchObject({ incoming: true })
    expect(next.get('v')).toMatchObject({ incoming: false, state: 1, sinceMs: 1_000 })
  })

  test('a domain paused by its departure is not taken for one that arrives', () => {
    const { next } = reconcile(new Map([['u', before()]]), [now(3, 2)], options)
    expect(next.get('u')).toMatchObject({ incoming: false })
  })

  test('panic_as = stopped_failed is honoured', () => {
    const known = new Map([['u', before()]])
    const { findings: found } = reconcile(known, [now(6, 1)], { ...options, panicAs: 'stopped_failed' })
    expect(found).toMatchObject([{ virDomainEvent: 'STOPPED_FAILED' }])
  })

  test('comparing twice with the same list tells nothing the second time', () => {
    const state = fc.record({ state: fc.nat(7), reason: fc.nat(13) })
    const flags = fc.record({ persistent: fc.boolean(), incoming: fc.boolean() })
    const known = fc.option(fc.tuple(state, flags), { nil: undefined })
    const there = fc.option(state, { nil: undefined })
    fc.assert(
      fc.property(fc.array(fc.tuple(known, there)), (pairs) => {
        const previous = new Map<string, KnownDomain>()
        const current: CurrentDomain[] = []
        for (const [index, [was, is]] of pairs.entries()) {
          if (was !== undefined) previous.set(`${index}`, before({ ...was[0], ...was[1] }))
          if (is !== undefined) current.push(now(is.state, is.reason, { uuid: `${index}` }))
        }
        const first = reconcile(previous, current, options)
        expect([...first.next.keys()].sort()).toEqual(current.map(({ uuid }) => uuid).sort())
        expect(reconcile(first.next, current, options).findings).toEqual([])
        for (const { uuid, virDomainEvent } of first.findings) {
          const was = previous.get(uuid)
          expect(virDomainEvent !== 'STOPPED_FAILED' || (was !== undefined && isAlive(was))).toBe(true)
        }
      }),
    )
  })
})
