import { describe, expect, test } from 'vitest'

import { VmLeaseLostError, VmNotFoundError } from '../errors.ts'
import { PATIENCE_MS, inLab, type PoolFactory } from './lab.ts'

/** Leases: prolonged, lost, taken back, handed on. */
export function leaseCases(name: string, factory: PoolFactory): void {
  describe(`${name}: a lease`, { timeout: PATIENCE_MS }, () => {
    test(
      'C5 is prolonged by heartbeats and ends with the release; an old token is worth nothing',
      inLab(factory, async (lab) => {
        await lab.ready(1)
        const old = await lab.take()
        lab.now += 20_000
        const { name } = old.vm
        const beat = await lab.store.heartbeat({ name, token: old.token, now: lab.now })
        expect(beat).toMatchObject({ expiresAt: lab.now + 60_000, preemptAt: null })
        await lab.release(old)
        const next = await lab.take()
        expect(next.vm.name).toBe(name)
        await expect(lab.release(old)).rejects.toThrow(VmLeaseLostError)
        const stale = { name, token: old.token, now: lab.now }
        await expect(lab.store.heartbeat(stale)).rejects.toThrow(VmLeaseLostError)
        const ending = { names: [name], by: { token: old.token }, reason: 'broken', now: lab.now }
        await expect(lab.store.terminate(ending)).rejects.toThrow(VmLeaseLostError)
        await expect(lab.store.get(name)).resolves.toEqual(next.vm)
        await lab.store.terminate({ ...ending, by: { token: next.token } })
        await expect(lab.state(name)).resolves.toBe('terminating')
        await expect(lab.release(next)).rejects.toThrow(VmLeaseLostError)
      }),
    )

    test(
      'C5 that expired is taken back after the grace, not before',
      inLab(factory, async (lab) => {
        await lab.ready(1)
        const { vm } = await lab.take()
        const reclaim = async () => {
          const due = await lab.store.due({ now: lab.now, limit: 10 })
          const names = due.vms.filter(({ kinds }) => kinds.includes('lease')).map((each) => each.vm.name)
          await lab.store.reclaim({ names: [vm.name], now: lab.now, fence: null })
          return { due: names, state: await lab.state(vm.name) }
        }
        lab.now += 60_000 + 30_000
        await expect(reclaim()).resolves.toEqual({ due: [], state: 'in_use' })
        lab.now += 1
        await expect(reclaim()).resolves.toEqual({ due: [vm.name], state: 'terminating' })
      }),
    )

    test(
      'C5 with reattach keeps the machine for whoever has the task, and fences the worker before',
      inLab(factory, async (lab) => {
        await lab.ready(1)
        const old = await lab.take({ taskId: 't', reattach: true })
        lab.now += 90_001
        const reclaim = { names: [old.vm.name], now: lab.now, fence: null }
        await expect(lab.store.reclaim(reclaim)).resolves.toMatchObject({ changes: [{ kind: 'vm.detached' }] })
        await expect(lab.state(old.vm.name)).resolves.toBe('in_use')
        lab.now += 3_000_000
        const ask = { taskId: 't', worker: 'w2', leaseToken: 'new', now: lab.now }
        await expect(lab.store.reattach({ ...ask, owner: 'eve' })).resolves.toBeNull()
        const lease = await lab.store.reattach({ ...ask, owner: 'bob' })
        expect(lease).toMatchObject({ token: 'new', vm: { worker: 'w2', detachedAt: null } })
        await expect(lab.release(old)).rejects.toThrow(VmLeaseLostError)
        await expect(lab.release(lease!)).resolves.toBe('ready')
      }),
    )

    test(
      'C5 with reattach ends as well when nobody comes back in time',
      inLab(
        factory,
        async (lab) => {
          await lab.ready(1)
          const { vm } = await lab.take({ taskId: 't', reattach: true })
          const reclaim = async () => {
            await lab.store.reclaim({ names: [vm.name], now: lab.now, fence: null })
            return await lab.state(vm.name)
          }
          lab.now += 90_001
          await expect(reclaim()).resolves.toBe('in_use')
          lab.now += 998
          await expect(reclaim()).resolves.toBe('in_use')
          lab.now += 1
          await expect(reclaim()).resolves.toBe('terminating')
        },
        { reattachMs: 999 },
      ),
    )

    test(
      'C9 on a machine that is gone is refused and leaves nothing behind',
      inLab(factory, async (lab) => {
        await lab.ready(1)
        const { vm, token } = await lab.take()
        await lab.store.lost({ name: vm.name, reason: 'gone', now: lab.now, fence: null })
        const gone = { name: vm.name, token, now: lab.now }
        await expect(lab.store.release(gone)).rejects.toThrow(VmNotFoundError)
        await expect(lab.store.heartbeat(gone)).rejects.toThrow(VmNotFoundError)
        await expect(lab.store.list({ limit: 10 })).resolves.toEqual({ vms: [], cursor: null })
        await expect(lab.store.byTask('t')).resolves.toEqual([])
      }),
    )
  })
}
