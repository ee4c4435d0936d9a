import { describe, expect, test, vi } from 'vitest'

import { ManualClock } from '../core/clock.ts'
import { SeededIds } from '../core/ids.ts'
import { SeededRandom } from '../core/random.ts'
import { openMemoryPool, PoolMemory } from './memory/store.ts'
import { ProviderMemory } from './provider-memory.ts'
import { ProviderFleet } from './provider/fleet.ts'
import { SimulatedCloud, SimulatedProvider } from './provider/simulated/index.ts'
import { driven } from './provider/simulated/testing/driven.ts'
import { labelOptions } from './testing/counts.ts'
import { servePool } from './testing/served-pool.ts'

// Some have a whole pool of their own, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000 })

function lab() {
  const clock = new ManualClock()
  const cloud = new SimulatedCloud({ clock })
  const store = openMemoryPool({ ids: new SeededIds(new SeededRandom(1)) })
  /** One process: a fleet of its own. */
  const process = (): { readonly fleet: ProviderFleet; readonly memory: ProviderMemory } => {
    const provider = new SimulatedProvider({ name: 'sim', installation: 'ours', cloud })
    const members = [{ provider, priority: 0, weight: 1 }]
    return {
      fleet: new ProviderFleet({ clock, random: new SeededRandom(1), members }),
      memory: new ProviderMemory(store),
    }
  }
  const create = async (fleet: ProviderFleet): Promise<unknown> => {
    const { signal } = new AbortController()
    const request = { name: 'vm-1', pool: 'p', createdAt: clock.now(), profile: {}, signal }
    return await driven(clock, fleet.create(request, { providers: ['sim'] })).catch((error: unknown) => error)
  }
  return { clock, cloud, store, process, create }
}

const healthOf = (fleet: ProviderFleet) => fleet.candidates()[0]!.health

describe('C11 what is known of providers outlives the leader', () => {
  test('C11 an open circuit stays open for the next leader, until its time is over', async () => {
    const { clock, cloud, process, create } = lab()
    const [before, after] = [process(), process()]
    cloud.faults.order('create', 'quota', { times: 1 })
    await create(before.fleet)
    await before.memory.keep(before.fleet)
    await after.memory.takeOver(after.fleet)
    expect(healthOf(after.fleet)).toEqual(healthOf(before.fleet))
    expect(after.fleet.choose(['sim'])).toMatchObject({ choice: 'wait', until: healthOf(before.fleet).openUntil })
    await clock.advance(60_000)
    expect(after.fleet.choose(['sim'])).toMatchObject({ choice: 'use', provider: 'sim', probe: true })
  })

  test('C11 the probe of a leader that is gone keeps nobody from another', async () => {
    const { process } = lab()
    const [before, after] = [process(), process()]
    const probing = { ...healthOf(before.fleet), opens: 2, openedAt: 1, openUntil: 2, probingSince: 3 }
    before.fleet.recall('sim', probing)
    await before.memory.keep(before.fleet)
    await after.memory.takeOver(after.fleet)
    expect(healthOf(after.fleet)).toEqual({ ...probing, probingSince: null })
    expect(after.fleet.choose(['sim'])).toMatchObject({ choice: 'use', probe: true })
  })

  test('C11 refused credentials are tried once more by the next leader, and shown by all', async () => {
    const { cloud, process, create } = lab()
    const [leader, next, other] = [process(), process(), process()]
    cloud.faults.order('create', 'authentication', { times: 1 })
    await create(leader.fleet)
    await leader.memory.keep(leader.fleet)
    await next.memory.takeOver(next.fleet)
    expect(healthOf(next.fleet).disabledBecause).toBeNull()
    await other.memory.follow(other.fleet)
    expect(healthOf(other.fleet)).toEqual(healthOf(leader.fleet))
    expect(healthOf(other.fleet).disabledBecause).not.toBeNull()
  })

  test('C11 writes only what has changed, and learns anew what it cannot read', async () => {
    const { store, process, create } = lab()
    const { fleet, memory } = process()
    await create(fleet)
    await memory.keep(fleet)
    await store.writeInfo('provider sim', 'provider_health', '{"successRate":"good"}')
    await memory.keep(fleet)
    expect(await store.readInfo('provider sim', 'provider_health')).toBe('{"successRate":"good"}')
    const before = healthOf(fleet)
    await memory.takeOver(fleet)
    expect(healthOf(fleet)).toBe(before)
  })

  test('C9 C11 a pool that is started again shows the circuit that was open, before anything is asked', async () => {
    const memory = new PoolMemory()
    const group = { id: 'g', maxTotal: 9 }
    {
      await using pool = await servePool({ memory, groups: [group] })
      pool.cloud.setLimits({ machines: 0 })
      await pool.reload([group], [labelOptions({ label: 'g', minReady: 1 })])
      await vi.waitUntil(
        async () => (await pool.store.readInfo('provider sim', 'provider_health'))?.includes('"opens":1'),
        {
          timeout: 20_000,
        },
      )
    }
    await using again = await servePool({ memory, groups: [group] })
    await vi.waitUntil(async () => (await again.pool.providers())[0]?.health.opens === 1, { timeout: 20_000 })
    const answer = await fetch(`${again.url}/api/v1/pools/providers`, { headers: { 'x-admin': 'yes' } })
    expect(await answer.json()).toMatchObject({ providers: [{ name: 'sim', refusal: { because: 'circuit open' } }] })
  })
})
