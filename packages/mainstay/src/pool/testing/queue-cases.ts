import { describe, expect, test } from 'vitest'

import type { PoolChange } from '../change.ts'
import { PoolRequestEndedError } from '../errors.ts'
import type { PoolStore } from '../store.ts'
import { PATIENCE_MS, inLab, type PoolFactory } from './lab.ts'

/** Waiting, fairness, gangs, preemption. */
export function queueCases(name: string, factory: PoolFactory): void {
  describe(`${name}: the queue`, { timeout: PATIENCE_MS }, () => {
    test(
      'C4 a release hands the machine to whoever waits in the same step, and the news wakes the waiter at once',
      inLab(factory, async (lab) => {
        await lab.ready(1)
        const lease = await lab.take()
        const id = await lab.wait()
        const woken = grantOf(lab.store, id)
        const { changes } = await lab.store.release({ name: lease.vm.name, token: lease.token, now: lab.now })
        expect(changes.map(({ kind }) => kind)).toEqual(['vm.released', 'vm.acquired', 'request.granted'])
        await expect(woken).resolves.toMatchObject({ requestId: id, owner: 'bob' })
        await expect(lab.store.leases(id)).resolves.toMatchObject([
          { vm: { name: lease.vm.name }, token: `token of ${id}` },
        ])
        await expect(lab.store.request(id)).resolves.toMatchObject({ status: 'granted' })
      }),
    )

    test(
      'C4 a request survives the restart of whoever asked, and asking again is waiting on',
      inLab(factory, async (lab) => {
        await lab.ready(1)
        const lease = await lab.take()
        const id = await lab.wait()
        await using again = await lab.place.open()
        const request = lab.request({ id, waitUntil: lab.now + 1000 })
        await expect(again.acquire(request)).resolves.toMatchObject({ outcome: 'waiting', changes: [] })
        await expect(lab.waiting()).resolves.toEqual({ bob: 1 })
        await lab.release(lease)
        await expect(again.acquire(request)).resolves.toMatchObject({ outcome: 'granted', changes: [] })
      }),
    )

    test(
      'C4 one owner with many requests does not keep ten others with one each from being next',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g', maxTotal: 20, maxPerUser: 0, dirtyPolicy: 'reset' }])
        await lab.ready(20)
        const held = await lab.takeAll({ owner: 'hog', count: 20 })
        await Promise.all(Array.from({ length: 3000 }, (_, index) => lab.wait({ id: `hog-${index}`, owner: 'hog' })))
        lab.now += 5000
        for (let index = 0; index < 10; index += 1) await lab.wait({ id: `r${index}`, owner: `owner-${index}` })
        for (const lease of held.slice(0, 10)) {
          await lab.release(lease)
          await lab.store.resetDone({ name: lease.vm.name, now: lab.now })
          await lab.check([lease.vm.name])
        }
        const { hog, ...others } = await lab.waiting()
        expect({ hog, others }).toEqual({ hog: 3000, others: {} })
      }),
    )

    test(
      'C4 a full group makes room for others: the dirty machine of the owner who is not next goes',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g', maxTotal: 2, maxPerUser: 0 }])
        await lab.ready(2)
        const [a, b] = await lab.takeAll({ owner: 'hog', count: 2 })
        await lab.wait({ id: 'hog again', owner: 'hog' })
        lab.now += 1
        await lab.wait({ id: 'other', owner: 'other' })
        await expect(lab.release(a!)).resolves.toBe('terminating')
        // One is on its way to the one who waits, so the next stays with its owner.
        await expect(lab.release(b!)).resolves.toBe('in_use')
        await expect(lab.holds('hog again')).resolves.toEqual([b!.vm.name])
        await lab.store.remove({ name: a!.vm.name, now: lab.now })
        const [fresh] = await lab.ready(1)
        await expect(lab.holds('other')).resolves.toEqual([fresh])
      }),
    )

    test(
      'C4 the order is class, share by weight, age; waiting raises the class',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g', maxTotal: 0, maxPerUser: 0, dirtyPolicy: 'reset' }], { ageingMs: 1000 })
        await lab.ready(3)
        await lab.takeAll({ owner: 'light', count: 1, weight: 1 })
        await lab.takeAll({ owner: 'heavy', count: 2 })
        const served = async () => {
          const before = await lab.waiting()
          await lab.ready(1)
          const after = await lab.waiting()
          return Object.keys(before).filter((owner) => after[owner] !== before[owner])
        }
        await lab.wait({ id: '1', owner: 'light', priority: 5 })
        lab.now += 1
        await lab.wait({ id: '2', owner: 'heavy', priority: 5, weight: 4 })
        await lab.wait({ id: '3', owner: 'new', priority: 5 })
        await lab.wait({ id: '4', owner: 'urgent', priority: 6 })
        await expect(served()).resolves.toEqual(['urgent'])
        await expect(served()).resolves.toEqual(['new'])
        await expect(served()).resolves.toEqual(['heavy'])
        lab.now += 10_000
        await lab.wait({ id: '5', owner: 'urgent', priority: 14 })
        await expect(served()).resolves.toEqual(['light'])
        await expect(served()).resolves.toEqual(['urgent'])
      }),
    )

    test(
      'C20 when waiting counts differently from now on, each request has its new place at once',
      inLab(factory, async (lab) => {
        const group = { id: 'g', maxTotal: 0, maxPerUser: 0 }
        await lab.configure([group], { ageingMs: 10_000 })
        for (const owner of ['bob', 'eve']) {
          await lab.wait({ id: `${owner} early`, owner })
          lab.now += 5000
          await lab.wait({ id: `${owner} urgent`, owner, priority: 1 })
        }
        await lab.configure([group], { ageingMs: 1000 })
        await expect(lab.store.verify()).resolves.toEqual([])
        await lab.ready(2)
        await expect(lab.holds('bob early')).resolves.toHaveLength(1)
        await expect(lab.waiting()).resolves.toEqual({ bob: 1, eve: 1 })
        await expect(lab.holds('eve early')).resolves.toHaveLength(1)
      }),
    )

    test(
      'C4 a newcomer does not pass those who wait',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g', maxPerUser: 1 }])
        await lab.ready(1)
        const held = await lab.take({ owner: 'bob' })
        await lab.wait({ id: 'first', owner: 'first' })
        lab.now += 1
        await expect(lab.acquire({ owner: 'second' })).resolves.toMatchObject({ outcome: 'unavailable' })
        await expect(lab.waiting()).resolves.toEqual({ first: 1 })
        const [fresh] = await lab.ready(1)
        await expect(lab.holds('first')).resolves.toEqual([fresh])
        await expect(lab.release(held)).resolves.toBe('ready')
      }),
    )

    test(
      'C4 cancelled and expired requests never get a machine and say how they ended',
      inLab(factory, async (lab) => {
        const cancelled = await lab.wait()
        const expired = await lab.wait({ waitUntil: lab.now + 1000 })
        const patient = await lab.wait()
        await lab.store.cancel({ id: cancelled, reason: 'changed my mind', now: lab.now })
        lab.now += 1001
        await expect(lab.store.due({ now: lab.now, limit: 1 })).resolves.toMatchObject({ requests: 1 })
        await lab.store.expireRequests({ limit: 10, now: lab.now, fence: null })
        await lab.ready(3)
        await expect(lab.holds(patient)).resolves.toHaveLength(1)
        await expect(lab.holds(cancelled)).resolves.toEqual([])
        await expect(lab.holds(expired)).resolves.toEqual([])
        await expect(lab.acquire({ id: cancelled })).resolves.toMatchObject({
          outcome: 'ended',
          request: { status: 'cancelled', reason: 'changed my mind' },
        })
        const again = { id: cancelled, reason: 'again', now: lab.now }
        await expect(lab.store.cancel(again)).rejects.toThrow(PoolRequestEndedError)
        lab.now += 600_001
        await lab.store.expireRequests({ limit: 10, now: lab.now, fence: null })
        await expect(lab.store.request(cancelled)).resolves.toBeNull()
        await expect(lab.store.request(expired)).resolves.toBeNull()
      }),
    )

    test(
      'C4 requests are listed in pages and can be moved',
      inLab(factory, async (lab) => {
        const ids: string[] = []
        for (let index = 0; index < 5; index += 1) {
          ids.push(await lab.wait())
          lab.now += index % 2
        }
        const first = await lab.store.requests({ limit: 3 })
        const rest = await lab.store.requests({ limit: 3, cursor: first.cursor })
        expect([...first.requests, ...rest.requests].map(({ id }) => id)).toEqual(ids)
        expect(rest.cursor).toBeNull()
        await lab.store.reorder({ id: ids[4]!, ahead: ids[0]!, now: lab.now })
        await lab.store.reorder({ id: ids[2]!, priority: 1, now: lab.now })
        await lab.ready(2)
        await expect(lab.holds(ids[2]!)).resolves.toHaveLength(1)
        await expect(lab.holds(ids[4]!)).resolves.toHaveLength(1)
      }),
    )

    test(
      'C4 a gang gets all or none, keeps what is free while it is next, and is not passed',
      inLab(factory, async (lab) => {
        await lab.ready(2)
        const gang = await lab.wait({ id: 'gang', owner: 'gang', count: 3, priority: 1 })
        await expect(lab.holds(gang)).resolves.toEqual([])
        await expect(lab.acquire({ owner: 'small' })).resolves.toMatchObject({
          outcome: 'unavailable',
          refusals: [{ kind: 'queue' }],
        })
        await lab.ready(1)
        await expect(lab.holds(gang)).resolves.toHaveLength(3)
        const second = await lab.wait({ id: 'second', owner: 'gang', count: 2, priority: 1 })
        const small = await lab.wait({ id: 'small', owner: 'small' })
        await lab.ready(1)
        await expect(lab.holds(small)).resolves.toEqual([])
        await lab.store.cancel({ id: second, reason: 'not needed', now: lab.now })
        await expect(lab.holds(small)).resolves.toHaveLength(1)
      }),
    )

    test(
      'C4 a gang that is next does not keep an owner from the machine that is its own',
      inLab(factory, async (lab) => {
        await lab.ready(3)
        const own = await lab.take({ owner: 'bob' })
        await lab.release(own)
        await lab.wait({ id: 'gang', owner: 'gang', count: 5, priority: 9 })
        await expect(lab.acquire({ owner: 'eve' })).resolves.toMatchObject({ outcome: 'unavailable' })
        const again = await lab.take({ owner: 'bob' })
        expect(again.vm.name).toBe(own.vm.name)
        const id = await lab.wait({ owner: 'bob' })
        await lab.release(again)
        await expect(lab.holds(id)).resolves.toEqual([own.vm.name])
      }),
    )

    test(
      'C7 a request whose machine did not pass at the hand-over is asked again under its id; no other grant is forgotten',
      inLab(factory, async (lab) => {
        const id = await lab.wait({ id: 'r' })
        const forget = async () => await lab.store.requeue({ id, now: lab.now })
        await forget()
        await expect(lab.store.request(id), 'it waits').resolves.toMatchObject({ status: 'waiting' })
        const [first] = await lab.ready(1)
        await forget()
        await expect(lab.holds(id), 'it holds a machine').resolves.toEqual([first])
        await expect(lab.store.request(id)).resolves.toMatchObject({ status: 'granted' })
        const by = { token: `token of ${id}` }
        await lab.store.terminate({ names: [first!], by, reason: 'no answer', now: lab.now })
        await expect(lab.acquire({ id })).resolves.toMatchObject({ outcome: 'ended' })
        await forget()
        await forget()
        await expect(lab.store.request(id)).resolves.toMatchObject({ status: 'waiting', endedAt: null })
        const [second] = await lab.ready(1)
        expect((await lab.take({ id })).vm).toMatchObject({ name: second, requestId: id })
        const cancelled = await lab.wait({ id: 'c' })
        await lab.store.cancel({ id: cancelled, reason: 'not needed', now: lab.now })
        await lab.store.requeue({ id: cancelled, now: lab.now })
        await expect(lab.store.request(cancelled)).resolves.toMatchObject({ status: 'cancelled' })
      }),
    )

    test(
      'C4 C7 a request whose machine did not pass at the hand-over keeps its time, its priority and its rank',
      inLab(factory, async (lab) => {
        const own = { owner: 'bob' }
        const older = await lab.wait({ ...own, id: 'older' })
        lab.now += 1000
        const moved = await lab.wait({ ...own, id: 'moved' })
        await lab.store.reorder({ id: moved, ahead: older, now: lab.now })
        lab.now += 1000
        const urgent = await lab.wait({ id: 'urgent', owner: 'eve' })
        await lab.store.reorder({ id: urgent, priority: 9, now: lab.now })
        lab.now += 1000
        const later = await lab.wait({ id: 'later', owner: 'ann' })
        const before = await lab.store.request(moved)
        lab.now += 1000

        /** Grants the next machine, throws it away and puts its request back. */
        async function handOverFails(id: string): Promise<void> {
          const [name] = await lab.ready(1)
          await expect(lab.holds(id), 'it is next').resolves.toEqual([name])
          await lab.store.terminate({ names: [name!], by: { token: `token of ${id}` }, reason: 'x', now: lab.now })
          await lab.store.remove({ name: name!, now: lab.now })
          lab.now += 1000
          await lab.store.requeue({ id, now: lab.now })
        }
        await handOverFails(urgent)
        await handOverFails(urgent)
        await lab.ready(1)
        await expect(lab.holds(urgent)).resolves.toHaveLength(1)
        await handOverFails(moved)
        await expect(lab.store.request(moved)).resolves.toEqual(before)
        const { requests } = await lab.store.requests({ limit: 9 })
        expect(requests.map(({ id }) => id)).toEqual([older, moved, later])
        await lab.ready(3)
        await expect(lab.holds(moved)).resolves.toHaveLength(1)
        await expect(lab.store.verify()).resolves.toEqual([])
      }),
    )

    test(
      'C4 C7 a request that is put back gets what is free at once, and is forgotten when its wait is over',
      inLab(factory, async (lab) => {
        const id = await lab.wait({ id: 'r', waitUntil: lab.now + 1000 })
        const fail = async (name: string): Promise<void> => {
          await lab.store.terminate({ names: [name], by: { token: `token of ${id}` }, reason: 'x', now: lab.now })
          await lab.store.requeue({ id, now: lab.now })
        }
        const [first, second] = await lab.ready(2)
        await expect(lab.holds(id)).resolves.toHaveLength(1)
        const [held] = await lab.holds(id)
        await fail(held!)
        await expect(lab.holds(id)).resolves.toEqual([held === first ? second : first])
        lab.now += 1000
        await fail(held === first ? second! : first!)
        await expect(lab.store.request(id)).resolves.toBeNull()
        await expect(lab.store.verify()).resolves.toEqual([])
      }),
    )

    test(
      'C4 a request that was granted at once and is asked once more counts from when it was first asked',
      inLab(factory, async (lab) => {
        const asked = lab.now
        lab.now += 1000
        await lab.wait({ id: 'between', owner: 'ann' })
        lab.now += 1000
        await lab.wait({ id: 'again', owner: 'bob', submittedAt: asked })
        await lab.ready(1)
        await expect(lab.holds('again')).resolves.toHaveLength(1)
        await expect(lab.holds('between')).resolves.toEqual([])
      }),
    )
  })

  describe(`${name}: preemption`, { timeout: PATIENCE_MS }, () => {
    test(
      'C4 a strictly higher class takes a machine back from a holder that allows it, after the grace',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g', maxTotal: 2, maxPerUser: 0 }])
        await lab.ready(2)
        const fixed = await lab.take({ owner: 'a', priority: 1 })
        const loose = await lab.take({ owner: 'b', priority: 5, preemptible: true })
        const equal = await lab.wait({ id: 'equal', owner: 'c', priority: 5 })
        await expect(lab.store.get(loose.vm.name)).resolves.toMatchObject({ preemptAt: null })
        await lab.store.cancel({ id: equal, reason: 'enough', now: lab.now })
        const higher = await lab.wait({ id: 'higher', owner: 'c', priority: 6 })
        const beat = await lab.store.heartbeat({ name: loose.vm.name, token: loose.token, now: lab.now })
        expect(beat.preemptAt).toBe(lab.now + 30_000)
        await expect(lab.store.get(fixed.vm.name)).resolves.toMatchObject({ preemptAt: null })
        lab.now += 29_999
        const reclaim = async () =>
          await lab.store.reclaim({ names: [loose.vm.name, fixed.vm.name], now: lab.now, fence: null })
        await reclaim()
        await expect(lab.state(loose.vm.name)).resolves.toBe('in_use')
        lab.now += 1
        await reclaim()
        await expect(lab.state(loose.vm.name)).resolves.toBe('terminating')
        await expect(lab.state(fixed.vm.name)).resolves.toBe('in_use')
        await lab.store.remove({ name: loose.vm.name, now: lab.now })
        const [fresh] = await lab.ready(1)
        await expect(lab.holds(higher)).resolves.toEqual([fresh])
      }),
    )

    test(
      'C4 nobody is asked to stop while the group has room for another machine',
      inLab(factory, async (lab) => {
        await lab.configure([{ id: 'g', maxTotal: 2, maxPerUser: 0 }])
        await lab.ready(1)
        const loose = await lab.take({ owner: 'b', preemptible: true })
        const higher = await lab.wait({ owner: 'c', priority: 6 })
        await expect(lab.store.get(loose.vm.name)).resolves.toMatchObject({ preemptAt: null })
        await lab.add('another')
        await lab.store.preempt({ requestId: higher, now: lab.now, fence: null })
        await expect(lab.store.get(loose.vm.name)).resolves.toMatchObject({ preemptAt: lab.now + 30_000 })
        await expect(lab.release(loose)).resolves.toBe('ready')
      }),
    )
  })
}

/** Watches from now on until a request is granted. */
async function grantOf(store: PoolStore, id: string): Promise<PoolChange> {
  for await (const news of store.changes({ signal: AbortSignal.timeout(30_000) })) {
    if (news.kind === 'change' && news.change.kind === 'request.granted' && news.change.requestId === id) {
      return news.change
    }
  }
  throw new Error(`The grant of ${id} was not told.`)
}
