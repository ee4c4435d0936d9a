import { describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { TimeoutError } from '../../core/errors.ts'
import { nextTurn } from '../../core/turn.ts'
import { SeededRandom } from '../../core/random.ts'
import { ProviderInvalidError, ProviderTransientError, type ProviderErrorClass } from './errors.ts'
import { NoProviderError, ProviderFleet, type FleetListener, type FleetRequest } from './fleet.ts'
import { SimulatedCloud, SimulatedProvider } from './simulated/index.ts'
import { driven } from './simulated/testing/driven.ts'

function lab({ priorities = [1, 0], listener = {} }: { priorities?: number[]; listener?: FleetListener } = {}) {
  const clock = new ManualClock()
  const clouds = priorities.map((_, index) => new SimulatedCloud({ clock, seed: index + 1 }))
  const names = clouds.map((_, index) => `cloud-${index + 1}`)
  const attempts: { provider: string; at: number; ok: boolean; class: ProviderErrorClass | null }[] = []
  const fleet = new ProviderFleet({
    clock,
    random: new SeededRandom(1),
    members: clouds.map((cloud, index) => ({
      provider: new SimulatedProvider({ name: names[index]!, installation: 'ours', cloud }),
      priority: priorities[index]!,
      weight: 1,
    })),
    listener: {
      ...listener,
      attempted: ({ provider, failure, tookMs }) => {
        attempts.push({ provider, at: clock.now() - tookMs, ok: failure === null, class: failure?.class ?? null })
      },
    },
  })
  let made = 0
  async function create(change: Partial<FleetRequest> = {}, signal = new AbortController().signal) {
    made += 1
    const request = { name: `vm-${made}`, pool: 'p', createdAt: clock.now(), profile: {}, signal }
    return await driven(clock, fleet.create(request, { providers: names, ...change }))
  }
  const of = (provider: string) => attempts.filter((each) => each.provider === provider)
  return { clock, clouds, fleet, attempts, create, of }
}

describe('several providers (C11)', () => {
  test('C11 the first refuses for quota: the second serves all, the first is probed at most once per interval', async () => {
    const { clock, clouds, fleet, create, of } = lab()
    clouds[0]!.setLimits({ machines: 0 })
    const start = clock.now()
    const openings: number[] = []
    while (clock.now() - start < 4 * 3_600_000) {
      expect((await create()).provider).toBe('cloud-2')
      const { openUntil } = fleet.candidates()[0]!.health
      if (openUntil !== openings.at(-1)) openings.push(openUntil)
      await clock.advance(5000)
    }
    const probes = of('cloud-1').map(({ at }) => at)
    expect(of('cloud-2').length).toBeGreaterThan(1000)
    expect(probes).toHaveLength(openings.length)
    for (const [index, at] of probes.slice(1).entries()) expect(at).toBeGreaterThanOrEqual(openings[index]!)
    expect(probes.length).toBeLessThan(20)
  })

  test.each(['transient', 'quota'] as const)(
    'C11 a machine that is not wanted any more and fails with %s says nothing about its provider, and no other is asked',
    async (fault) => {
      const { clouds, fleet, create, attempts } = lab()
      clouds[0]!.faults.order('create', fault, { times: 1 })
      await expect(create({ stillWanted: async () => false })).rejects.toMatchObject({ class: fault })
      expect(fleet.candidates()[0]!.health).toMatchObject({ failuresInRow: 0, opens: 0, successRate: 1 })
      expect(attempts).toEqual([])
    },
  )

  test('C11 the first is used again once its probe succeeded', async () => {
    const { clock, clouds, create } = lab()
    clouds[0]!.setLimits({ machines: 0 })
    expect((await create()).provider).toBe('cloud-2')
    clouds[0]!.setLimits({ machines: null })
    expect((await create()).provider).toBe('cloud-2')
    await clock.advance(60_000)
    expect((await create()).provider).toBe('cloud-1')
    expect((await create()).provider).toBe('cloud-1')
  })

  test('C11 of many requests at one moment only one is the probe', async () => {
    const { clock, clouds, create, of } = lab()
    clouds[0]!.faults.order('create', 'quota', { times: 100 })
    await create()
    await clock.advance(60_000)
    const note = async (): Promise<void> => await nextTurn()
    const all = await Promise.all(Array.from({ length: 10 }, async () => await create({ onAttempt: note })))
    expect(new Set(all.map(({ provider }) => provider))).toEqual(new Set(['cloud-2']))
    expect(of('cloud-1')).toHaveLength(2)
  })

  test('a record that cannot be written says nothing about the provider, and lets another probe', async () => {
    const { clock, clouds, create, of } = lab()
    clouds[0]!.faults.order('create', 'quota')
    await create()
    await clock.advance(60_000)
    const refusal = new RangeError('no record')
    await expect(create({ onAttempt: async () => await Promise.reject(refusal) })).rejects.toBe(refusal)
    expect((await create()).provider).toBe('cloud-1')
    expect(of('cloud-1').map(({ ok }) => ok)).toEqual([false, true])
  })

  test.each(['quota', 'capacity', 'rate_limit', 'authentication'] as const)(
    'a refusal for %s leads to the next provider at once',
    async (kind) => {
      const { clouds, create, attempts } = lab()
      clouds[0]!.faults.order('create', kind)
      expect((await create()).provider).toBe('cloud-2')
      expect(attempts.map(({ provider, class: seen }) => [provider, seen])).toEqual([
        ['cloud-1', kind],
        ['cloud-2', null],
      ])
    },
  )

  test('an invalid request fails for the label: no other provider is asked, this one keeps its place', async () => {
    const { clouds, create, attempts } = lab()
    clouds[0]!.faults.order('create', 'invalid')
    await expect(create()).rejects.toThrow(ProviderInvalidError)
    expect(attempts).toHaveLength(1)
    expect((await create()).provider).toBe('cloud-1')
  })

  test('a transient failure is not repeated elsewhere: the machine may exist', async () => {
    const { clouds, create, attempts } = lab()
    clouds[0]!.faults.order('create', 'lost_answer')
    await expect(create()).rejects.toThrow(ProviderTransientError)
    expect(attempts).toHaveLength(1)
    expect(clouds[0]!.machines()).toHaveLength(1)
  })

  test('a provider whose success falls loses its rank by itself, and regains it', async () => {
    const { clock, clouds, create } = lab()
    clouds[0]!.faults.replace({ create: { transient: 0.6 } })
    for (let turn = 0; turn < 30; turn += 1) {
      await create().catch(() => undefined)
      await clock.advance(30_000)
    }
    clouds[0]!.faults.replace()
    expect((await create()).provider).toBe('cloud-2')
    await clock.advance(6 * 3_600_000)
    expect((await create()).provider).toBe('cloud-1')
  })

  test('refused credentials raise one alarm, and the provider is not asked until a person enables it', async () => {
    const alarms: string[] = []
    const { clock, clouds, fleet, create, of } = lab({
      listener: { disabled: (provider) => void alarms.push(provider) },
    })
    clouds[0]!.faults.order('create', 'authentication', { times: 5 })
    for (let turn = 0; turn < 5; turn += 1) {
      await create()
      await clock.advance(3_600_000)
    }
    expect(alarms).toEqual(['cloud-1'])
    expect(of('cloud-1')).toHaveLength(1)
    clouds[0]!.faults.replace()
    fleet.enable('cloud-1')
    expect((await create()).provider).toBe('cloud-1')
  })

  test('a provider that says "too often" is asked more slowly', async () => {
    const { clock, clouds, create, of } = lab({ priorities: [0] })
    clouds[0]!.faults.order('create', 'rate_limit', { times: 3 })
    const refusedUntil = async (): Promise<number> => {
      const error: unknown = await create().catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(NoProviderError)
      return (error as NoProviderError).until!
    }
    for (const pauseMs of [1000, 2000, 4000]) {
      const until = await refusedUntil()
      expect(until - of('cloud-1').at(-1)!.at).toBe(pauseMs)
      await clock.advance(until - clock.now())
    }
    expect((await create()).provider).toBe('cloud-1')
    expect(of('cloud-1')).toHaveLength(4)
    expect(await refusedUntil()).toBeGreaterThan(clock.now())
    expect(of('cloud-1')).toHaveLength(4)
  })

  test('what may be at one provider already is looked for there first, whatever its health', async () => {
    const { clouds, fleet, create } = lab()
    clouds[1]!.add({ name: 'vm-1', tags: { installation: 'ours', pool: 'p', vmName: 'vm-1', createdAt: 0 } })
    expect(await create({ first: 'cloud-2' })).toMatchObject({ provider: 'cloud-2' })
    expect(clouds[0]!.machines()).toEqual([])
    fleet.setDraining('cloud-1', true)
    expect((await create()).provider).toBe('cloud-2')
    fleet.setDraining('cloud-1', false)
    expect((await create()).provider).toBe('cloud-1')
  })

  test('says beforehand which provider it asks', async () => {
    const { clouds, create } = lab()
    clouds[0]!.faults.order('create', 'quota')
    const told: string[] = []
    await create({ onAttempt: async (provider) => void told.push(provider) })
    expect(told).toEqual(['cloud-1', 'cloud-2'])
  })

  test('being told to stop says nothing about a provider; a deadline that is over does', async () => {
    for (const [reason, failures] of [
      [new RangeError('shutdown'), 0],
      [new TimeoutError('the launch', 1000), 1],
    ] as const) {
      const { clock, clouds, fleet, create, attempts } = lab()
      clouds[0]!.faults.order('create', 'hang')
      const controller = new AbortController()
      const creating = create({}, controller.signal)
      using _stop = clock.after(1000, () => controller.abort(reason))
      await expect(creating).rejects.toBe(reason)
      expect(attempts).toHaveLength(failures)
      expect(fleet.candidates()[0]!.health.failuresInRow).toBe(failures)
    }
  })

  test('none that is configured is an error that says so', async () => {
    const { create } = lab()
    await expect(create({ providers: ['no-such-cloud'] })).rejects.toThrow('none is configured')
  })
})
