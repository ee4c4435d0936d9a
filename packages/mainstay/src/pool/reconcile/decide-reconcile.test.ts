import {
  assert,
  boolean,
  constantFrom,
  integer,
  option,
  property,
  record,
  uniqueArray,
  type Arbitrary,
} from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { Machine, ProviderResource } from '../provider/provider.ts'
import { VM_STATES } from '../state.ts'
import type { PartialRecord } from '../store.ts'
import { decideReconcile, type Listing, type ReconcileInput } from './decide-reconcile.ts'
import type { ReconcileDecision } from './decision.ts'
import type { KnownVm } from './match-machines.ts'
import { DEFAULT_RECONCILE_OPTIONS, type ReconcileOptions } from './options.ts'

const NOW = 100_000_000
const OLD = 600_001

interface MachineShape {
  readonly id?: string
  readonly status?: Machine['status']
  readonly ageMs?: number
  readonly installation?: string | null
}

function machine(
  name: string,
  { id = `id-${name}`, status = 'running', ageMs = OLD, installation = 'ours' }: MachineShape = {},
): Machine {
  const tags = installation === null ? null : { installation, pool: 'p', vmName: name, createdAt: NOW - ageMs }
  return { providerId: id, name, address: '10.0.0.1', status, tags, data: {} }
}

function vm(name: string, change: Partial<KnownVm> = {}): KnownVm {
  return { name, state: 'ready', stateSince: NOW - OLD, provider: 'a', providerId: `id-${name}`, ...change }
}

function volume(vmName: string, { ageMs = OLD, installation = 'ours' }: MachineShape = {}): ProviderResource {
  const tags = { installation: installation!, pool: 'p', vmName, createdAt: NOW - ageMs }
  return { kind: 'volume', providerId: `vol-${vmName}`, name: vmName, tags }
}

function listing(machines: readonly Machine[], resources: readonly ProviderResource[] | null = null): Listing {
  return { provider: 'a', installation: 'ours', outcome: { machines, resources } }
}

function decide(
  known: readonly KnownVm[],
  listings: Listing | readonly Listing[],
  {
    partial = [],
    confirmed,
    ...options
  }: Partial<ReconcileOptions & Pick<ReconcileInput, 'partial' | 'confirmed'>> = {},
): ReconcileDecision[] {
  const input = { known, partial, now: NOW, listings: Array.isArray(listings) ? listings : [listings as Listing] }
  const confirming = confirmed === undefined ? {} : { confirmed }
  return decideReconcile({ ...input, ...confirming }, { ...DEFAULT_RECONCILE_OPTIONS, ...options })
}

/** Each decision in a word or two. */
function words(decisions: readonly ReconcileDecision[]): string[] {
  return decisions.map((each) => {
    switch (each.decide) {
      case 'destroy_machine':
      case 'report_machine':
        return `${each.decide} ${each.machine.providerId} ${each.because}`
      case 'destroy_resource':
      case 'report_resource':
        return `${each.decide} ${each.resource.providerId}`
      case 'terminate':
        return `terminate ${each.vm} ${each.because}`
      case 'hold_back':
        return `hold_back ${each.what} ${each.ids.length} above ${each.limit}`
      case 'skip_provider':
        return `skip ${each.provider}`
      default:
        return `${each.decide} ${each.vm}`
    }
  })
}

describe('machines that nobody knows (C10)', () => {
  test.each([
    ['older than the grace', { ageMs: 600_001 }, ['destroy_machine id-x unknown']],
    ['exactly as old as the grace', { ageMs: 600_000 }, []],
    ['young', { ageMs: 0 }, []],
    ['made in the future', { ageMs: -1_000_000 }, []],
    ['in error and older than a moment', { status: 'error', ageMs: 60_001 }, ['destroy_machine id-x error']],
    ['in error for a moment only', { status: 'error', ageMs: 60_000 }, []],
    ['stopped', { status: 'stopped' }, ['destroy_machine id-x unknown']],
    ['still being built after all that time', { status: 'building' }, ['destroy_machine id-x unknown']],
    ['of a state that nobody understands', { status: 'unknown' }, ['destroy_machine id-x unknown']],
    ['on its way out', { status: 'deleting' }, []],
    ['without our tag', { installation: null }, []],
    ['of another installation', { installation: 'theirs' }, []],
  ] as const)('%s', (_what, shape, expected) => {
    expect(words(decide([], listing([machine('x', shape)])))).toEqual(expected)
  })

  test('are only reported where that is wanted', () => {
    const listed = listing([machine('x'), machine('y', { status: 'error' })], [volume('z')])
    expect(words(decide([], listed, { mode: 'report' }))).toEqual([
      'report_machine id-x unknown',
      'report_machine id-y error',
      'report_resource vol-z',
    ])
  })

  test('and have the name of one that we know are duplicates', () => {
    const listed = listing([machine('x'), machine('x', { id: 'second' }), machine('x', { id: 'young', ageMs: 5 })])
    expect(words(decide([vm('x')], listed))).toEqual(['destroy_machine second duplicate'])
  })

  describe('C10 and have the name of a record of another provider', () => {
    const record = (state: KnownVm['state'] = 'in_use') => vm('x', { provider: 'b', providerId: 'id-b', state })
    const other = (machines: readonly Machine[]): Listing => ({ ...listing(machines), provider: 'b' })
    const own = { ...machine('x', { id: 'id-b' }), address: '10.0.0.2' }

    test.each(VM_STATES)('are never ended on the word of a provider that cannot know: %s', (state) => {
      // The other one is not configured any more, or was renamed.
      expect(words(decide([record(state)], listing([machine('x')])))).toEqual(['report_machine id-x claimed'])
      // It cannot be asked.
      const failed: Listing = { provider: 'b', installation: 'ours', outcome: { failure: 'down' } }
      expect(words(decide([record(state)], [listing([machine('x')]), failed]))).toContain('report_machine id-x claimed')
    })

    test.each([
      ['has none of its own', [], ['lost x', 'report_machine id-x claimed']],
      ['sees the same two', [own, machine('x')], ['destroy_machine id-x duplicate', 'report_machine id-x claimed']],
    ] as const)('are only reported where that provider %s', (_what, there, expected) => {
      const decided = words(decide([record()], [listing([machine('x')]), other(there)]))
      expect(decided.toSorted()).toEqual(expected)
    })

    test('are one machine that two providers list, and stay', () => {
      const shared = machine('x', { id: 'id-b' })
      const decided = words(decide([record()], [listing([shared]), other([shared])]))
      expect(decided).toEqual(['report_machine id-b claimed'])
      // The same under two identifiers: its address gives it away.
      const twice = words(decide([record()], [listing([machine('x')]), other([machine('x', { id: 'id-b' })])]))
      expect(twice).toEqual(['report_machine id-x claimed'])
    })

    test('are duplicates when that provider shows the one that is meant, and it is another', () => {
      const decided = words(decide([record()], [listing([machine('x')]), other([own])]))
      expect(decided).toEqual(['destroy_machine id-x duplicate'])
    })
  })

  test('are never guessed at: of two that could be the one, none is touched', () => {
    const listed = listing([machine('x'), machine('x', { id: 'second' })])
    const expected = ['report_machine id-x duplicate', 'report_machine second duplicate']
    expect(words(decide([vm('x', { providerId: null })], listed))).toEqual(expected)
    expect(words(decide([vm('x', { providerId: 'vanished' })], listed))).toEqual(expected)
  })

  test('are not those whose record lost a part', () => {
    const partial: PartialRecord[] = [{ name: 'x', group: null, missing: ['group'], firstSeenAt: NOW - 5 }]
    expect(words(decide([], listing([machine('X')], [volume('x')]), { partial }))).toEqual(['report_record x'])
  })
})

describe('machines that we know (C10)', () => {
  test.each([
    ['by their identifier', vm('x'), machine('renamed', { id: 'id-x' })],
    ['by their name where the identifier was never learned', vm('x', { providerId: null }), machine('x')],
    ['by their name in another case', vm('x', { providerId: null }), machine('X')],
    ['by their name where the identifier is not there any more', vm('x', { providerId: 'before' }), machine('x')],
    ['although no provider is known: they were adopted', vm('x', { provider: null, providerId: null }), machine('x')],
  ])('are recognised %s', (_how, known, listed) => {
    expect(decide([known], listing([listed]))).toEqual([])
  })

  test.each([
    ...(['ready', 'in_use', 'got_ip', 'held', 'drained', 'standby', 'resetting', 'check_health'] as const).map(
      (state) => [state, 'lost x'] as const,
    ),
    ['terminating', 'gone x'],
    ['stuck', 'gone x'],
    ['requested', undefined],
    ['building', undefined],
    ['starting', undefined],
  ] as const)('and are %s and not there: %s', (state, expected) => {
    expect(words(decide([vm('x', { state })], listing([])))).toEqual(expected === undefined ? [] : [expected])
  })

  test('are not lost while the list may run behind', () => {
    expect(decide([vm('x', { stateSince: NOW - 60_000 })], listing([]))).toEqual([])
    expect(words(decide([vm('x', { stateSince: NOW - 60_001 })], listing([])))).toEqual(['lost x'])
  })

  test('are not looked for at a provider that is not theirs', () => {
    const known = [vm('elsewhere', { provider: 'b' }), vm('adopted', { provider: null })]
    expect(decide(known, listing([]))).toEqual([])
  })

  test.each([
    ['ready', 'error', 'terminate x error'],
    ['in_use', 'error', 'terminate x error'],
    ['standby', 'error', 'terminate x error'],
    ['resetting', 'error', 'terminate x error'],
    ['ready', 'stopped', 'terminate x stopped by itself'],
    ['in_use', 'stopped', 'terminate x stopped by itself'],
    ['standby', 'stopped', undefined],
    ['resetting', 'stopped', undefined],
    ['starting', 'stopped', undefined],
    ['held', 'error', undefined],
    ['held', 'stopped', undefined],
    ['building', 'error', undefined],
    ['terminating', 'error', undefined],
    ['ready', 'unknown', undefined],
    ['ready', 'deleting', undefined],
    ['ready', 'building', undefined],
  ] as const)('and are %s while the provider shows %s: %s', (state, status, expected) => {
    const decisions = words(decide([vm('x', { state })], listing([machine('x', { status })])))
    expect(decisions).toEqual(expected === undefined ? [] : [expected])
  })
})

test('C10 a provider that could not list decides nothing, and does not stop the others', () => {
  const failed: Listing = { provider: 'b', installation: 'ours', outcome: { failure: 'token expired' } }
  const known = [vm('x'), vm('y', { provider: 'b' }), vm('z', { provider: 'b', state: 'terminating' })]
  expect(words(decide(known, [failed, listing([])]))).toEqual(['skip b', 'lost x'])
})

describe('volumes, addresses, key pairs (C10)', () => {
  test('go when neither a record nor a machine has their name, and they are older than the grace', () => {
    const resources = [
      volume('leaked'),
      volume('young', { ageMs: 600_000 }),
      volume('KNOWN'),
      volume('listed'),
      volume('theirs', { installation: 'theirs' }),
    ]
    const decisions = decide([vm('known')], listing([machine('known'), machine('listed', { ageMs: 5 })], resources))
    expect(words(decisions)).toEqual(['destroy_resource vol-leaked'])
  })
})

describe('too much at once (C10)', () => {
  const many = (count: number, prefix = 'm') => Array.from({ length: count }, (_, index) => `${prefix}${index}`)

  test.each([
    [10, 0, '10 go'],
    [11, 0, 'hold_back leaked machines 11 above 10'],
    [20, 80, '20 go'],
    [21, 79, 'hold_back leaked machines 21 above 20'],
  ])('%i leaked machines of %i known ones more: %s', (leaked, known, expected) => {
    const vms = many(known).map((name) => vm(name))
    const listed = listing(
      [...vms, ...many(leaked, 'leak')].map((each) => machine(typeof each === 'string' ? each : each.name)),
    )
    const decisions = words(decide(vms, listed))
    const gone = decisions.filter((each) => each.startsWith('destroy_machine')).length
    expect(gone === 0 ? decisions : [`${gone} go`]).toEqual([expected])
  })

  test('an empty list of a provider that has many loses none', () => {
    expect(
      words(
        decide(
          many(50).map((name) => vm(name)),
          listing([]),
        ),
      ),
    ).toEqual(['hold_back lost machines 50 above 10'])
  })

  test('all in error at once are not all destroyed', () => {
    const names = many(30)
    const decisions = decide(
      names.map((name) => vm(name)),
      listing(names.map((name) => machine(name, { status: 'error' }))),
    )
    expect(words(decisions)).toEqual(['hold_back machines in error 30 above 10'])
  })

  test('goes ahead for what a person has confirmed', () => {
    const leaks = many(12).map((name) => machine(name))
    const [held] = decide([], listing(leaks))
    expect(held).toMatchObject({ decide: 'hold_back', ids: leaks.map(({ providerId }) => providerId) })
    expect(decide([], listing(leaks), { confirmed: new Set(['id-m0', 'id-m1']) })).toHaveLength(12)
    const confirmed = new Set(leaks.map(({ providerId }) => providerId))
    expect(words(decide([], listing(leaks), { confirmed }))).toHaveLength(12)
    const one = decide([], listing(leaks), { confirmed: new Set(['id-m0']), maxLeakDeletes: 5 })
    expect(words(one)).toEqual(['destroy_machine id-m0 unknown', 'hold_back leaked machines 11 above 5'])
  })

  test('does not touch records that are gone anyway', () => {
    const known = many(30).map((name) => vm(name, { state: 'terminating' }))
    expect(words(decide(known, listing([])))).toEqual(known.map(({ name }) => `gone ${name}`))
  })
})

describe('records that lost a part (C19)', () => {
  test('C18 one that an adoption refused is only ever told of', () => {
    const partial: PartialRecord[] = [{ name: 'x', group: '0', missing: ['adoption'], firstSeenAt: NOW - 1e12 }]
    expect(words(decide([], [], { partial }))).toEqual(['report_record x'])
  })

  test.each([
    [600_000, 'report_record'],
    [600_001, 'repair_record'],
  ])('%i ms after they were first seen so: %s', (ageMs, expected) => {
    const partial: PartialRecord[] = [{ name: 'x', group: 'g', missing: ['vm_ip'], firstSeenAt: NOW - ageMs }]
    expect(decide([], [], { partial })).toEqual([{ decide: expected, vm: 'x', missing: ['vm_ip'] }])
  })
})

describe('whatever the records and the lists hold', () => {
  const names = constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'A', 'B')
  const ids = constantFrom('1', '2', '3', '4', '5', '6', '7', '8')
  const provider = constantFrom('a', 'b')
  const ages = constantFrom(0, 60_000, 60_001, 600_000, 600_001, 10_000_000)

  const anyVm: Arbitrary<KnownVm> = record({
    name: names,
    state: constantFrom(...VM_STATES),
    stateSince: ages.map((age) => NOW - age),
    provider: option(provider),
    providerId: option(ids),
  })
  const anyMachine = record({
    name: names,
    id: ids,
    status: constantFrom('building', 'running', 'stopped', 'error', 'deleting', 'unknown'),
    ageMs: ages,
    installation: constantFrom('ours', 'ours', 'ours', 'theirs', null),
  }).map(({ name, ...shape }) => machine(name, shape))
  const anyListing: Arbitrary<Listing> = record({
    failed: boolean(),
    machines: uniqueArray(anyMachine, { selector: ({ providerId }) => providerId, maxLength: 8 }),
    resources: option(uniqueArray(names, { maxLength: 4 })),
    provider,
  }).map(({ failed, machines, resources, ...rest }) => {
    const outcome = { machines, resources: resources?.map((name) => volume(name)) ?? null }
    return { ...rest, installation: 'ours', outcome: failed ? { failure: 'no answer' } : outcome }
  })
  const anyWorld = record({
    known: uniqueArray(anyVm, { selector: ({ name }) => name.toLowerCase(), maxLength: 8 }),
    listings: uniqueArray(anyListing, { selector: (each) => each.provider, maxLength: 2 }),
    maxLeakDeletes: integer({ min: 0, max: 5 }),
  })

  const machinesOf = ({ outcome }: Listing) => ('failure' in outcome ? [] : outcome.machines)
  const destroyed = (decisions: readonly ReconcileDecision[]) =>
    decisions.flatMap((each) => (each.decide === 'destroy_machine' ? [each] : []))

  test('only machines with our tag are touched, and never one that a record means', () => {
    assert(
      property(anyWorld, ({ known, listings, ...limits }) => {
        for (const { machine: each, provider: where } of destroyed(decide(known, listings, limits))) {
          expect(each.tags?.installation).toBe('ours')
          const meant = known.some((one) => one.provider === where && one.providerId === each.providerId)
          expect(meant).toBe(false)
        }
      }),
    )
  })

  test('nothing is decided about the machines and records of a provider that did not answer', () => {
    assert(
      property(anyWorld, ({ known, listings, ...limits }) => {
        const silent = new Set(listings.filter(({ outcome }) => 'failure' in outcome).map((each) => each.provider))
        const decisions = decide(known, listings, limits)
        for (const each of decisions) {
          const about = 'provider' in each && silent.has(each.provider)
          expect(!about || each.decide === 'skip_provider').toBe(true)
        }
        const lost = decisions.flatMap((each) => (each.decide === 'lost' || each.decide === 'gone' ? [each.vm] : []))
        for (const one of known) expect(silent.has(one.provider ?? '') && lost.includes(one.name)).toBe(false)
      }),
    )
  })

  test('no more of a kind go at one provider than allowed', () => {
    assert(
      property(anyWorld, ({ known, listings, ...limits }) => {
        const decisions = decide(known, listings, limits)
        for (const each of listings) {
          const ours = machinesOf(each).filter(({ tags }) => tags?.installation === 'ours').length
          const here = known.filter((one) => one.provider === each.provider).length
          const at = decisions.filter((one) => 'provider' in one && one.provider === each.provider)
          const of = (kind: ReconcileDecision['decide']) => at.filter(({ decide: what }) => what === kind).length
          const limit = (total: number) => Math.max(limits.maxLeakDeletes, Math.floor(total * 0.2))
          expect(of('destroy_machine')).toBeLessThanOrEqual(limit(ours))
          expect(of('lost')).toBeLessThanOrEqual(limit(here))
          expect(of('terminate')).toBeLessThanOrEqual(limit(here))
        }
      }),
    )
  })

  test('no machine and no record is decided about twice', () => {
    assert(
      property(anyWorld, ({ known, listings, ...limits }) => {
        const decisions = decide(known, listings, limits)
        const subjects = decisions.flatMap((each) => {
          if ('machine' in each) return [`${each.provider}/${each.machine.providerId}`]
          return 'vm' in each ? [each.vm] : []
        })
        expect(new Set(subjects).size).toBe(subjects.length)
      }),
    )
  })

  test('once it is done there is nothing more to do', () => {
    assert(
      property(anyWorld, ({ known, listings, ...limits }) => {
        const decisions = decide(known, listings, limits)
        const dropped = new Set(
          decisions.flatMap((each) => (each.decide === 'lost' || each.decide === 'gone' ? [each.vm] : [])),
        )
        const ended = new Set(decisions.flatMap((each) => (each.decide === 'terminate' ? [each.vm] : [])))
        const after = known
          .filter(({ name }) => !dropped.has(name))
          .map((one) => (ended.has(one.name) ? { ...one, state: 'terminating' as const } : one))
        const gone = new Set(destroyed(decisions).map((each) => each.machine))
        const later = listings.map((each) => {
          if ('failure' in each.outcome) return each
          const machines = each.outcome.machines.filter((one) => !gone.has(one))
          return { ...each, outcome: { ...each.outcome, machines } }
        })
        const held = new Set(decisions.flatMap((each) => (each.decide === 'hold_back' ? [each.provider] : [])))
        const again = decide(after, later, limits).filter((each) => 'provider' in each && !held.has(each.provider))
        expect(again.filter(({ decide: what }) => what === 'lost' || what === 'terminate')).toEqual([])
      }),
    )
  })

  test('its order does not matter', () => {
    assert(
      property(anyWorld, ({ known, listings, ...limits }) => {
        const sorted = (decisions: readonly ReconcileDecision[]) => words(decisions).sort()
        const turned = listings.map((each) => {
          if ('failure' in each.outcome) return each
          return { ...each, outcome: { ...each.outcome, machines: each.outcome.machines.toReversed() } }
        })
        expect(sorted(decide(known.toReversed(), turned.toReversed(), limits))).toEqual(
          sorted(decide(known, listings, limits)),
        )
      }),
    )
  })
})
