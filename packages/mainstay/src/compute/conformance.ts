import { beforeEach, describe, expect, test, type TestContext } from 'vitest'

import type { Clock } from '../core/clock.ts'
import { MainstayError, TimeoutError } from '../core/errors.ts'
import type { Acting, Asking, Compute, ComputeChange, HostName, Instance } from './compute.ts'
import {
  CapacityError,
  HostNotFoundError,
  InstanceBoundError,
  InstanceNotFoundError,
  InstanceStateError,
} from './errors.ts'
import { FenceUnprovenError, type FenceCertificate } from './fence-certificate.ts'

/** What a driver gives to be examined: a small fleet of its own, fresh for every case. */
export interface ComputeSubject {
  readonly compute: Compute
  readonly clock: Clock
  /** Runs the guests below. */
  readonly source: HostName
  /** Serves and has room for each of `running` and `stopped`. */
  readonly target: HostName
  /** A running guest of `source` that can run elsewhere. */
  readonly running: string
  /** A stopped guest of `source`. */
  readonly stopped: string
  /** A guest of `source` that is bound to it. */
  readonly bound: string
  /** A guest of `source` that can run elsewhere but is larger than what `target` has free. */
  readonly huge: string
  /** Ends the guest's process from outside. */
  killGuest(instance: string): Promise<void>
  /** Ends the host with all that runs on it, so that it does not answer. */
  killHost(host: HostName): Promise<void>
  /** Where a copy of the guest truly runs, found out without the driver. */
  runningCopies(instance: string): Promise<HostName[]>
  /**
   * Begins an evacuation and lets the driver's process end as soon as the act has begun.
   *
   * @returns the driver of the next process, over the same platform; it is disposed with the subject
   */
  interruptedBy(begin: (compute: Compute) => Promise<void>, instance: string): Promise<Compute>
  dispose(): Promise<void>
}

export interface ComputeConformanceOptions {
  /** The longest that this driver needs for one act, in ms. */
  readonly actTimeoutMs?: number
  /** The longest that one case may take, in ms. */
  readonly caseTimeoutMs?: number
  /** Who carries on an evacuation whose asker has died: the platform, or only the one who asks again. */
  readonly evacuationsBy?: 'platform' | 'process'
  /** Skips a case where this machine lacks something. */
  readonly requires?: (context: TestContext) => void
}

const NOBODY = '00000000-0000-4000-8000-00000000dead'
const POLL_MS = 250
const VALIDITY_MS = 600_000

/**
 * The contract of `Compute`, as tests: every driver passes them.
 *
 * @param name of the driver, for the titles
 * @param create makes a fresh fleet
 */
export function computeConformance(
  name: string,
  create: () => Promise<ComputeSubject>,
  {
    actTimeoutMs = 10_000,
    caseTimeoutMs = 30_000,
    evacuationsBy = 'process',
    requires,
  }: ComputeConformanceOptions = {},
): void {
  describe(`compute driver ${name}`, { timeout: caseTimeoutMs }, () => {
    let subject: ComputeSubject
    let keys = 0

    beforeEach(async (context) => {
      requires?.(context)
      subject = await create()
      return async () => await subject.dispose()
    }, caseTimeoutMs)

    const asking = (): Asking => ({ signal: AbortSignal.timeout(actTimeoutMs) })
    const acting = (key = `case-${(keys += 1)}`): Acting => ({ ...asking(), key, fence: 1 })

    function certificate(change: Partial<FenceCertificate> = {}): FenceCertificate {
      const now = subject.clock.now()
      return {
        host: subject.source,
        method: 'asserted',
        evidence: [{ at: now, source: 'a person', saw: 'the host has no power' }],
        provenAt: now,
        validUntil: now + VALIDITY_MS,
        assertedBy: 'the examiner',
        ...change,
      }
    }

    async function reaches(instance: string, until: Parameters<Compute['waitForInstance']>[1]): Promise<void> {
      const { compute } = subject
      await compute.waitForInstance(instance, until, { timeoutMs: actTimeoutMs, pollMs: POLL_MS, ...asking() })
    }

    async function evacuate(instance: string, change: Partial<FenceCertificate> = {}, key?: string): Promise<void> {
      const options = { target: subject.target, certificate: certificate(change) }
      await subject.compute.evacuate(instance, options, acting(key))
    }

    async function arrives(instance: string): Promise<void> {
      await reaches(instance, ({ host, state, taskState }) => {
        return host === subject.target && state === 'active' && taskState === null
      })
    }

    describe('what is there', () => {
      test('lists its hosts with their memory, up and enabled', async () => {
        const hosts = await subject.compute.listHosts(asking())
        const found = hosts.filter((host) => [subject.source, subject.target].includes(host.name))
        expect(found).toHaveLength(2)
        for (const host of found) {
          expect(host).toMatchObject({ state: 'up', enabled: true, disabledReason: null })
          expect(host.memoryMib).toBeGreaterThan(0)
          expect(host.freeMemoryMib).toBeLessThanOrEqual(host.memoryMib)
        }
      })

      test('finds a host by its name', async () => {
        expect(await subject.compute.findHost(subject.source, asking())).toMatchObject({ name: subject.source })
      })

      test('finds no host that does not exist', async () => {
        expect(await subject.compute.findHost('no-such-host', asking())).toBeUndefined()
      })

      test('lists the guests of a host with what a planner needs', async () => {
        const instances = await subject.compute.listInstances(subject.source, asking())
        const byId = new Map(instances.map((instance) => [instance.uuid, instance]))
        expect(byId.get(subject.running)).toMatchObject({ state: 'active', host: subject.source, boundBecause: null })
        expect(byId.get(subject.stopped)).toMatchObject({ state: 'stopped', host: subject.source })
        expect(byId.get(subject.bound)?.boundBecause).toEqual(expect.any(String))
        for (const { memoryMib, vcpus } of instances) {
          expect(memoryMib).toBeGreaterThan(0)
          expect(vcpus).toBeGreaterThan(0)
        }
      })

      test('lists no guest of a host that has none', async () => {
        const { compute, target, running, stopped, bound } = subject
        const ids = (await compute.listInstances(target, asking())).map(({ uuid }) => uuid)
        for (const instance of [running, stopped, bound]) expect(ids).not.toContain(instance)
      })

      test('refuses to list the guests of an unknown host', async () => {
        await expect(subject.compute.listInstances('no-such-host', asking())).rejects.toThrow(HostNotFoundError)
      })

      test('finds a guest by its id, and none that does not exist', async () => {
        expect(await subject.compute.findInstance(subject.running, asking())).toMatchObject({ uuid: subject.running })
        expect(await subject.compute.findInstance(NOBODY, asking())).toBeUndefined()
      })

      test('tells of no restarts of a guest that was not restarted', async () => {
        const { compute, running } = subject
        expect(await compute.listMoves(running, { sinceMs: 0 }, asking())).toEqual([])
        expect(await compute.listMoves(NOBODY, { sinceMs: 0 }, asking())).toEqual([])
      })
    })

    describe('start and stop', () => {
      test('starts a stopped guest where it is', async () => {
        await subject.compute.start(subject.stopped, acting())
        await reaches(subject.stopped, ({ state }) => state === 'active')
        expect(await subject.runningCopies(subject.stopped)).toEqual([subject.source])
      })

      test('refuses to start a guest that is active', async () => {
        await expect(subject.compute.start(subject.running, acting())).rejects.toThrow(InstanceStateError)
      })

      test('stops a guest', async () => {
        await subject.compute.stop(subject.running, acting())
        await reaches(subject.running, ({ state }) => state === 'stopped')
        expect(await subject.runningCopies(subject.running)).toEqual([])
      })

      test('refuses to stop a guest that is stopped', async () => {
        await expect(subject.compute.stop(subject.stopped, acting())).rejects.toThrow(InstanceStateError)
      })

      test('starts a guest again whose process died', async () => {
        await subject.killGuest(subject.running)
        await reaches(subject.running, ({ state }) => state === 'stopped')
        await subject.compute.start(subject.running, acting())
        await reaches(subject.running, ({ state }) => state === 'active')
        expect(await subject.runningCopies(subject.running)).toEqual([subject.source])
      })

      test('refuses to start, stop, reset or evacuate a guest that does not exist', async () => {
        const { compute } = subject
        await expect(compute.start(NOBODY, acting())).rejects.toThrow(InstanceNotFoundError)
        await expect(compute.stop(NOBODY, acting())).rejects.toThrow(InstanceNotFoundError)
        await expect(compute.resetState(NOBODY, 'error', acting())).rejects.toThrow(InstanceNotFoundError)
        await expect(evacuate(NOBODY)).rejects.toThrow(InstanceNotFoundError)
      })

      test('regards a guest as in error when told so, and as active again', async () => {
        await subject.compute.resetState(subject.running, 'error', acting())
        expect(await subject.compute.findInstance(subject.running, asking())).toMatchObject({ state: 'error' })
        await subject.compute.resetState(subject.running, 'active', acting())
        expect(await subject.compute.findInstance(subject.running, asking())).toMatchObject({ state: 'active' })
      })
    })

    describe('waiting', () => {
      test('returns at once when the guest is as it should be', async () => {
        const { compute, running } = subject
        const options = { timeoutMs: actTimeoutMs, pollMs: POLL_MS, ...asking() }
        expect(await compute.waitForInstance(running, ({ state }) => state === 'active', options)).toMatchObject({
          uuid: running,
        })
      })

      test('gives up after its time', async () => {
        const options = { timeoutMs: 300, pollMs: POLL_MS, ...asking() }
        const waiting = subject.compute.waitForInstance(subject.running, () => false, options)
        await expect(waiting).rejects.toThrow(TimeoutError)
      })

      test('gives up when the guest does not exist', async () => {
        await expect(reaches(NOBODY, () => true)).rejects.toThrow(InstanceNotFoundError)
      })

      test('gives up when its condition does', async () => {
        const giveUp = (): boolean => {
          throw new RangeError('enough')
        }
        await expect(reaches(subject.running, giveUp)).rejects.toThrow(RangeError)
      })

      test('is woken by news long before it would look again', async () => {
        const { compute, running } = subject
        const options = { timeoutMs: actTimeoutMs, pollMs: actTimeoutMs * 2, ...asking() }
        const waiting = compute.waitForInstance(running, ({ state }) => state === 'stopped', options)
        await subject.killGuest(running)
        expect(await waiting).toMatchObject({ state: 'stopped' })
      })
    })

    describe('evacuation', () => {
      test('is refused without a certificate', async () => {
        await subject.killHost(subject.source)
        // As a journal that was written by hand could bring it.
        const options = { target: subject.target, certificate: undefined as unknown as FenceCertificate }
        await expect(subject.compute.evacuate(subject.running, options, acting())).rejects.toThrow(FenceUnprovenError)
        expect(await subject.runningCopies(subject.running)).toEqual([])
      })

      test('is refused with a certificate for another host', async () => {
        await subject.killHost(subject.source)
        await expect(evacuate(subject.running, { host: subject.target })).rejects.toThrow(FenceUnprovenError)
        expect(await subject.runningCopies(subject.running)).toEqual([])
      })

      test('is refused with a certificate that has expired', async () => {
        await subject.killHost(subject.source)
        const expired = { validUntil: subject.clock.now() - 1 }
        await expect(evacuate(subject.running, expired)).rejects.toThrow(FenceUnprovenError)
        expect(await subject.runningCopies(subject.running)).toEqual([])
      })

      test('is refused with a certificate without evidence', async () => {
        await subject.killHost(subject.source)
        await expect(evacuate(subject.running, { evidence: [] })).rejects.toThrow(FenceUnprovenError)
        expect(await subject.runningCopies(subject.running)).toEqual([])
      })

      test('is refused while the guest is seen running, whatever the certificate says', async () => {
        await expect(evacuate(subject.running)).rejects.toThrow(InstanceStateError)
        expect(await subject.runningCopies(subject.running)).toEqual([subject.source])
      })

      test('lists the guests of a dead host', async () => {
        const { compute, source, running, stopped, bound } = subject
        await subject.killHost(source)
        const ids = (await compute.listInstances(source, asking())).map(({ uuid }) => uuid)
        for (const instance of [running, stopped, bound]) expect(ids).toContain(instance)
        expect((await compute.findHost(source, asking()))?.state).not.toBe('up')
      })

      test('starts the guest of a dead host on the target, once', async () => {
        await subject.killHost(subject.source)
        await evacuate(subject.running)
        await arrives(subject.running)
        expect(await subject.runningCopies(subject.running)).toEqual([subject.target])
        const left = await subject.compute.listInstances(subject.source, asking())
        expect(left.map(({ uuid }) => uuid)).not.toContain(subject.running)
        const there = await subject.compute.listInstances(subject.target, asking())
        expect(there.map(({ uuid }) => uuid)).toContain(subject.running)
      })

      test('leaves a guest stopped that was stopped', async () => {
        await subject.killHost(subject.source)
        await evacuate(subject.stopped)
        await reaches(subject.stopped, ({ host, state, taskState }) => {
          return host === subject.target && state === 'stopped' && taskState === null
        })
        expect(await subject.runningCopies(subject.stopped)).toEqual([])
      })

      test('makes a guest active that was regarded as in error', async () => {
        await subject.compute.resetState(subject.running, 'error', acting())
        await subject.killHost(subject.source)
        await evacuate(subject.running)
        await arrives(subject.running)
        expect(await subject.runningCopies(subject.running)).toEqual([subject.target])
      })

      test('is remembered, so that whoever repeats it can look before', async () => {
        const since = subject.clock.now()
        await subject.killHost(subject.source)
        await evacuate(subject.running)
        const { compute, running, source, target } = subject
        const [move, ...more] = await compute.listMoves(running, { sinceMs: since }, asking())
        expect(move).toMatchObject({ instance: running, source, target })
        expect(['running', 'done']).toContain(move?.state)
        expect(more).toEqual([])
        await arrives(running)
        expect(await compute.listMoves(running, { sinceMs: since }, asking())).toMatchObject([{ state: 'done' }])
        expect(await compute.listMoves(running, { sinceMs: subject.clock.now() + 1 }, asking())).toEqual([])
      })

      test('is harmless when the same act is repeated, while it runs and after', async () => {
        await subject.killHost(subject.source)
        await evacuate(subject.running, {}, 'the-same')
        await evacuate(subject.running, {}, 'the-same')
        await arrives(subject.running)
        await evacuate(subject.running, {}, 'the-same')
        expect(await subject.runningCopies(subject.running)).toEqual([subject.target])
        expect(await subject.compute.listMoves(subject.running, { sinceMs: 0 }, asking())).toHaveLength(1)
      })

      test('is completed exactly once by its repeat, when the process that began it ended in the middle', async () => {
        const { source, target, running } = subject
        await subject.killHost(source)
        const options = { target, certificate: certificate() }
        const begin = async (compute: Compute): Promise<void> => {
          await compute.evacuate(running, options, acting('the-same'))
        }
        const next = await subject.interruptedBy(begin, running)
        const [move] = await next.listMoves(running, { sinceMs: 0 }, asking())
        expect(move).toMatchObject({ key: 'the-same', source, target })
        await next.evacuate(running, options, acting('the-same'))
        const bounds = { timeoutMs: actTimeoutMs, pollMs: POLL_MS, ...asking() }
        const arrived = ({ host, state }: Instance): boolean => host === target && state === 'active'
        await next.waitForInstance(running, arrived, bounds)
        await next.evacuate(running, options, acting('the-same'))
        expect(await subject.runningCopies(running)).toEqual([target])
        expect(await next.listMoves(running, { sinceMs: 0 }, asking())).toMatchObject([{ state: 'done' }])
      })

      if (evacuationsBy === 'process') {
        test('that was left in the middle is not forgotten: the guest is still listed at its host, being rebuilt', async () => {
          const { source, target, running } = subject
          await subject.killHost(source)
          const options = { target, certificate: certificate() }
          const begin = async (compute: Compute): Promise<void> => {
            await compute.evacuate(running, options, acting('the-same'))
          }
          const next = await subject.interruptedBy(begin, running)
          const listed = await next.listInstances(source, asking())
          expect(listed.find(({ uuid }) => uuid === running)).toMatchObject({ host: source, taskState: 'rebuilding' })
          expect(await next.findInstance(running, asking())).toMatchObject({ host: source, taskState: 'rebuilding' })
          await expect(next.evacuate(running, options, acting('another'))).rejects.toThrow(MainstayError)
          const expired = { target, certificate: certificate({ validUntil: subject.clock.now() - 1 }) }
          await expect(next.evacuate(running, expired, acting('the-same'))).rejects.toThrow(FenceUnprovenError)
          expect(await subject.runningCopies(running)).toEqual([])
        })
      }

      test('happens once when two ask at the same moment', async () => {
        await subject.killHost(subject.source)
        const both = await Promise.allSettled([evacuate(subject.running), evacuate(subject.running)])
        expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
        await arrives(subject.running)
        expect(await subject.runningCopies(subject.running)).toEqual([subject.target])
      })

      test('is refused to a second act with the certificate of the first host', async () => {
        await subject.killHost(subject.source)
        await evacuate(subject.running)
        await arrives(subject.running)
        await expect(evacuate(subject.running)).rejects.toThrow(FenceUnprovenError)
        expect(await subject.runningCopies(subject.running)).toEqual([subject.target])
      })

      test('is refused to a guest that is bound to its host', async () => {
        await subject.killHost(subject.source)
        await expect(evacuate(subject.bound)).rejects.toThrow(InstanceBoundError)
        expect(await subject.runningCopies(subject.bound)).toEqual([])
      })

      test('is refused where the guest does not fit', async () => {
        await subject.killHost(subject.source)
        await expect(evacuate(subject.huge)).rejects.toThrow(CapacityError)
        expect(await subject.runningCopies(subject.huge)).toEqual([])
      })

      test('is refused to an unknown target', async () => {
        await subject.killHost(subject.source)
        const options = { target: 'no-such-host', certificate: certificate() }
        await expect(subject.compute.evacuate(subject.running, options, acting())).rejects.toThrow(HostNotFoundError)
      })

      test('is refused to a target that is disabled', async () => {
        await subject.compute.disableHost(subject.target, { reason: 'for a test' }, acting())
        await subject.killHost(subject.source)
        await expect(evacuate(subject.running)).rejects.toThrow(CapacityError)
        expect(await subject.runningCopies(subject.running)).toEqual([])
      })
    })

    describe('hosts', () => {
      test('disables and enables a host, twice without harm', async () => {
        const { compute, source } = subject
        await compute.disableHost(source, { reason: 'it died' }, acting())
        await compute.disableHost(source, { reason: 'it died' }, acting())
        expect(await compute.findHost(source, asking())).toMatchObject({ enabled: false, disabledReason: 'it died' })
        await compute.enableHost(source, acting())
        await compute.enableHost(source, acting())
        expect(await compute.findHost(source, asking())).toMatchObject({ enabled: true, disabledReason: null })
      })

      test('disables a host that is dead', async () => {
        const { compute, source } = subject
        await subject.killHost(source)
        await compute.disableHost(source, { reason: 'it died' }, acting())
        expect(await compute.findHost(source, asking())).toMatchObject({ enabled: false, disabledReason: 'it died' })
      })

      test('refuses to disable or enable an unknown host', async () => {
        const { compute } = subject
        await expect(compute.disableHost('nowhere', { reason: 'r' }, acting())).rejects.toThrow(HostNotFoundError)
        await expect(compute.enableHost('nowhere', acting())).rejects.toThrow(HostNotFoundError)
      })
    })

    describe('news', () => {
      test('tells a watcher of a guest that stops, until it is disposed', async () => {
        const { compute, running, stopped } = subject
        const told = Promise.withResolvers<ComputeChange>()
        let count = 0
        const watching = compute.watch((change) => {
          count += 1
          if (change.instance === running) told.resolve(change)
        })
        await subject.killGuest(running)
        expect(await told.promise).toEqual({ host: subject.source, instance: running })
        await reaches(running, ({ state }) => state === 'stopped')
        watching[Symbol.dispose]()
        const before = count
        await compute.start(stopped, acting())
        await reaches(stopped, ({ state }) => state === 'active')
        expect(count).toBe(before)
      })

      test('tells a watcher of a host that dies', async () => {
        const { compute, source } = subject
        const told = Promise.withResolvers<void>()
        using _watching = compute.watch((change) => {
          if (change.host === source && change.instance === null) told.resolve()
        })
        await subject.killHost(source)
        await expect(told.promise).resolves.toBeUndefined()
      })
    })

    describe('giving up', () => {
      test('asks and does nothing once its signal is aborted', async () => {
        const { compute, source, running, stopped } = subject
        const reason = new RangeError('not any more')
        const signal = AbortSignal.abort(reason)
        const late: Acting = { signal, key: 'late', fence: 1 }
        await expect(compute.listHosts({ signal })).rejects.toBe(reason)
        await expect(compute.findHost(source, { signal })).rejects.toBe(reason)
        await expect(compute.listInstances(source, { signal })).rejects.toBe(reason)
        await expect(compute.findInstance(running, { signal })).rejects.toBe(reason)
        await expect(compute.listMoves(running, { sinceMs: 0 }, { signal })).rejects.toBe(reason)
        await expect(compute.disableHost(source, { reason: 'r' }, late)).rejects.toBe(reason)
        await expect(compute.start(stopped, late)).rejects.toBe(reason)
        await expect(compute.stop(running, late)).rejects.toBe(reason)
        expect(await subject.runningCopies(running)).toEqual([source])
        expect(await subject.runningCopies(stopped)).toEqual([])
      })

      test('stops waiting when its signal is aborted', async () => {
        const controller = new AbortController()
        const reason = new RangeError('not any more')
        const options = { timeoutMs: actTimeoutMs, pollMs: POLL_MS, signal: controller.signal }
        const waiting = subject.compute.waitForInstance(subject.running, () => false, options)
        controller.abort(reason)
        await expect(waiting).rejects.toBe(reason)
      })
    })
  })
}
