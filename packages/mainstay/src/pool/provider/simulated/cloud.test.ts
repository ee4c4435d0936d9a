import { describe, expect, test } from 'vitest'

import { ManualClock } from '../../../core/clock.ts'
import { type ProviderError, ProviderQuotaError, ProviderRateLimitError } from '../errors.ts'
import type { CreateRequest } from '../provider.ts'
import { SimulatedCloud, SimulatedProvider, type CloudFault, type SimulatedCloudOptions } from './index.ts'
import { driven } from './testing/driven.ts'

function lab(options: Partial<SimulatedCloudOptions> = {}) {
  const clock = new ManualClock()
  const cloud = new SimulatedCloud({ clock, ...options })
  const provider = new SimulatedProvider({ name: 'sim', installation: 'ours', cloud })
  const { signal } = new AbortController()
  const request = (name: string, change: Partial<CreateRequest> = {}): CreateRequest => {
    return { name, pool: 'p', createdAt: clock.now(), profile: {}, signal, ...change }
  }
  const create = async (name: string, change: Partial<CreateRequest> = {}) =>
    await driven(clock, provider.create(request(name, change)))
  return { clock, cloud, provider, create, asking: { signal } }
}

describe('the simulated cloud', () => {
  test('does the same for the same seed, and something else for another', async () => {
    const history = async (seed: number): Promise<unknown> => {
      const { clock, cloud, create } = lab({ seed, faults: { create: { transient: 0.3, fail_later: 0.2 } } })
      const outcomes: unknown[] = []
      for (let index = 0; index < 20; index += 1) {
        outcomes.push(await create(`vm-${index}`).catch((error: unknown) => (error as ProviderError).message))
        outcomes.push(clock.now())
      }
      return [outcomes, cloud.machines().map(({ name }) => name)]
    }
    expect(await history(7)).toEqual(await history(7))
    expect(await history(7)).not.toEqual(await history(8))
  })

  test('refuses what is beyond its quota, and takes it when there is room', async () => {
    const { clock, provider, create, asking } = lab({ limits: { machines: 2, vcpus: 8 } })
    await create('vm-1', { profile: { vcpus: '7' } })
    await expect(create('vm-2', { profile: { vcpus: '2' } })).rejects.toThrow(ProviderQuotaError)
    await create('vm-2')
    await expect(create('vm-3')).rejects.toThrow('2 of 2 machines are used')
    await driven(clock, provider.destroy({ name: 'vm-1', providerId: null }, asking))
    await create('vm-3')
  })

  test('limits the rate of calls and says how long to wait', async () => {
    const { clock, provider, asking } = lab({ limits: { callsPerMinute: 3 } })
    for (let call = 0; call < 3; call += 1) await provider.list(asking)
    const error: unknown = await provider.list(asking).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ProviderRateLimitError)
    expect(error).toMatchObject({ retryAfterMs: 60_000 })
    await clock.advance(60_000)
    await provider.list(asking)
  })

  test('makes the machine although its answer is lost; asking again gives it', async () => {
    const { cloud, create } = lab()
    cloud.faults.order('create', 'lost_answer')
    await expect(create('vm-1')).rejects.toMatchObject({ class: 'transient' })
    const [made] = cloud.byName('vm-1')
    expect(await create('vm-1')).toMatchObject({ providerId: made!.id })
  })

  test('takes back a machine that came to nothing', async () => {
    const { cloud, create } = lab()
    cloud.faults.order('create', 'fail_later')
    await expect(create('vm-1')).rejects.toMatchObject({ class: 'transient' })
    expect(cloud.machines()).toEqual([])
  })

  test('hangs until the caller gives up', async () => {
    const { cloud, provider } = lab()
    cloud.faults.order('list', 'hang')
    const controller = new AbortController()
    const listing = provider.list({ signal: controller.signal })
    const reason = new RangeError('enough')
    controller.abort(reason)
    await expect(listing).rejects.toBe(reason)
  })

  test.each([
    ['lie', []],
    ['partial', ['vm-1', 'vm-3']],
    ['stale', ['vm-0', 'vm-1', 'vm-2', 'vm-3']],
  ] as const satisfies readonly (readonly [CloudFault, readonly string[]])[])(
    'lists falsely when ordered to: %s',
    async (fault, expected) => {
      const { clock, cloud, provider, create, asking } = lab()
      for (const name of ['vm-0', 'vm-1', 'vm-2', 'vm-3']) await create(name)
      await driven(clock, provider.destroy({ name: 'vm-0', providerId: null }, asking))
      cloud.faults.order('list', fault)
      expect((await provider.list(asking)).map(({ name }) => name).sort()).toEqual(expected)
      expect(await provider.list(asking)).toHaveLength(3)
    },
  )

  test('leaves what a machine brought along when ordered to', async () => {
    const { clock, cloud, provider, create, asking } = lab({ resources: ['volume'] })
    await create('vm-1')
    cloud.faults.order('destroy', 'leave_resources')
    await driven(clock, provider.destroy({ name: 'vm-1', providerId: null }, asking))
    expect(await provider.listResources(asking)).toMatchObject([{ kind: 'volume', tags: { vmName: 'vm-1' } }])
  })

  test('says that it destroyed a machine and did not, when ordered to', async () => {
    const { clock, cloud, provider, create, asking } = lab()
    await create('vm-1')
    cloud.faults.order('destroy', 'lie')
    await driven(clock, provider.destroy({ name: 'vm-1', providerId: null }, asking))
    expect(cloud.byName('vm-1')).toHaveLength(1)
  })
})
