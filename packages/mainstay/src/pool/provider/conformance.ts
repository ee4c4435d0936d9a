import { isIP } from 'node:net'

import { beforeEach, describe, expect, test, type TestContext } from 'vitest'

import { ForeignMachineError, MachineNotFoundError, ProviderError, type ProviderErrorClass } from './errors.ts'
import type { CreateRequest, MachineRef, MachineTags, Provider, ProviderResource } from './provider.ts'

/** What a driver gives to be examined: an empty provider of its own, fresh for every case. */
export interface ProviderSubject {
  readonly provider: Provider
  /** Another installation's driver of the same provider. */
  readonly neighbour: Provider
  /** For `create`. */
  readonly profile: Readonly<Record<string, string>>
  /** Lets time pass until the work is done, where the provider's clock stands still by itself. */
  run<T>(work: Promise<T>): Promise<T>
  /** A driver of the same installation as another process would have it: nothing of the first is remembered. */
  reopen(): Promise<Provider>
  /** Puts a machine there, past every driver. */
  add(name: string, tags: MachineTags | null): Promise<void>
  /** How many machines of that name there are, seen without any driver. */
  count(name: string): Promise<number>
  /** Takes a machine away behind everybody's back. */
  vanish(name: string): Promise<void>
  /** Makes the provider regard a machine as in error. */
  breakDown(name: string): Promise<void>
  /** Arranges that a creation fails so. @returns the profile to ask with, or undefined where that cannot be brought about */
  failNextCreate(kind: ProviderErrorClass): Promise<Readonly<Record<string, string>> | undefined>
  /** Makes every question fail from now on. */
  failQuestions(): Promise<void>
  /** Puts something else there, past every driver. Not called for a driver that lacks `resources`. */
  addResource(resource: ProviderResource): Promise<void>
  dispose(): Promise<void>
}

export interface ProviderConformanceOptions {
  /** The longest that one call may take, in ms. */
  readonly callTimeoutMs?: number
  readonly caseTimeoutMs?: number
  /** Skips a case where this machine lacks something. */
  readonly requires?: (context: TestContext) => void
  /** What the driver cannot do, as its capabilities say. */
  readonly lacks?: readonly OptionalDeed[]
}

export type OptionalDeed = 'standby' | 'reset' | 'quota' | 'resources'

const CREATED_AT = Date.UTC(2026, 10, 21)
const CLASSES = ['quota', 'capacity', 'rate_limit', 'authentication', 'invalid', 'transient'] as const

/** Whoever writes tags into XML, JSON or a shell's variable meets these sooner or later. */
const AWKWARD_POOL = `b"u'i<l>d & ü/$x`

/**
 * The contract of `Provider`, as tests: every driver passes them.
 *
 * @param name of the driver, for the titles
 * @param create makes an empty provider
 */
export function providerConformance(
  name: string,
  create: () => Promise<ProviderSubject>,
  { callTimeoutMs = 30_000, caseTimeoutMs = 60_000, requires, lacks = [] }: ProviderConformanceOptions = {},
): void {
  describe(`pool provider ${name} (C10, C11)`, { timeout: caseTimeoutMs }, () => {
    let subject: ProviderSubject
    const can = (deed: OptionalDeed): boolean => !lacks.includes(deed)

    beforeEach(async (context) => {
      requires?.(context)
      subject = await create()
      return async () => await subject.dispose()
    }, caseTimeoutMs)

    const asking = () => ({ signal: AbortSignal.timeout(callTimeoutMs) })
    const ref = (vm: string): MachineRef => ({ name: vm, providerId: null })

    function request(vm: string, change: Partial<CreateRequest> = {}): CreateRequest {
      const { profile } = subject
      return { name: vm, pool: 'builders', createdAt: CREATED_AT, profile, ...asking(), ...change }
    }

    async function make(vm: string, change: Partial<CreateRequest> = {}) {
      return await subject.run(subject.provider.create(request(vm, change)))
    }

    async function names(provider = subject.provider): Promise<string[]> {
      return (await subject.run(provider.list(asking()))).map((machine) => machine.name).sort()
    }

    function tagsOf(vm: string, installation = subject.provider.installation): MachineTags {
      return { installation, pool: 'builders', vmName: vm, createdAt: CREATED_AT }
    }

    describe('making', () => {
      test('gives a running machine with an address and our tags', async () => {
        const machine = await make('vm-1', { pool: AWKWARD_POOL })
        expect(isIP(machine.address)).not.toBe(0)
        expect(machine).toMatchObject({ name: 'vm-1', status: 'running' })
        expect(machine.tags).toEqual({ ...tagsOf('vm-1'), pool: AWKWARD_POOL })
        expect(await subject.count('vm-1')).toBe(1)
        const [listed, ...more] = await subject.run(subject.provider.list(asking()))
        expect(more).toEqual([])
        expect(listed).toMatchObject({
          name: 'vm-1',
          providerId: machine.providerId,
          address: machine.address,
          status: 'running',
          tags: machine.tags,
        })
      })

      test('tells the identifier while the machine can be found already, so that a crash leaves a record', async () => {
        const told: string[] = []
        const machine = await make('vm-1', {
          onAccepted: async ({ providerId }) => {
            told.push(providerId)
            expect(await subject.count('vm-1')).toBe(1)
          },
        })
        expect(told).toEqual([machine.providerId])
      })

      test('is undone when its identifier cannot be recorded', async () => {
        const refusal = new RangeError('no record')
        const making = make('vm-1', { onAccepted: () => Promise.reject(refusal) })
        await expect(making).rejects.toBe(refusal)
        expect(await subject.count('vm-1')).toBe(0)
      })

      test('gives machines of different names different identifiers and addresses', async () => {
        const [one, two] = [await make('vm-1'), await make('vm-2')]
        expect(one.providerId).not.toBe(two.providerId)
        expect(one.address).not.toBe(two.address)
        expect(await names()).toEqual(['vm-1', 'vm-2'])
      })

      test('gives the same machine for the same name, also to another process', async () => {
        const first = await make('vm-1')
        expect(await make('vm-1')).toMatchObject({ providerId: first.providerId, address: first.address })
        const later = await subject.reopen()
        const again = await subject.run(later.create(request('vm-1')))
        expect(again).toMatchObject({ providerId: first.providerId, address: first.address, tags: first.tags })
        expect(await subject.count('vm-1')).toBe(1)
        await later.close()
      })

      test('makes one machine for two who ask at the same moment', async () => {
        const { provider } = subject
        const both = await subject.run(
          Promise.all([provider.create(request('vm-1')), provider.create(request('vm-1'))]),
        )
        expect(both[0].providerId).toBe(both[1].providerId)
        expect(await subject.count('vm-1')).toBe(1)
      })

      test('replaces a machine of that name that is in error', async () => {
        await make('vm-1')
        await subject.breakDown('vm-1')
        expect((await subject.run(subject.provider.describe(ref('vm-1'), asking())))?.status).toBe('error')
        expect(await make('vm-1')).toMatchObject({ status: 'running' })
        expect(await subject.count('vm-1')).toBe(1)
      })

      test('refuses a name that somebody else uses, and leaves theirs alone', async () => {
        await subject.add('vm-1', null)
        await subject.add('vm-2', tagsOf('vm-2', subject.neighbour.installation))
        for (const vm of ['vm-1', 'vm-2']) {
          await expect(make(vm)).rejects.toThrow(ForeignMachineError)
          expect(await subject.count(vm)).toBe(1)
        }
      })

      test('fails with the class of the reason and leaves nothing', async () => {
        const seen: ProviderErrorClass[] = []
        for (const kind of CLASSES) {
          const profile = await subject.failNextCreate(kind)
          if (profile === undefined) continue
          const error: unknown = await make('vm-1', { profile }).catch((caught: unknown) => caught)
          expect(error).toBeInstanceOf(ProviderError)
          expect(error).toMatchObject({ class: kind, provider: subject.provider.name, leftBehind: undefined })
          expect(await subject.count('vm-1')).toBe(0)
          seen.push(kind)
        }
        expect(seen).toContain('invalid')
        expect(await make('vm-1')).toMatchObject({ status: 'running' })
      })

      test('says beforehand what it can do', () => {
        const { standby, reset, quota, resources, list, tags } = subject.provider.capabilities
        expect({ standby, reset, quota, resources: resources.length > 0 }).toEqual({
          standby: can('standby'),
          reset: can('reset'),
          quota: can('quota'),
          resources: can('resources'),
        })
        expect({ list, tags }).toEqual({ list: true, tags: true })
      })
    })

    describe('looking', () => {
      test('lists nothing where nothing is ours', async () => {
        await subject.add('theirs-1', null)
        await subject.add('theirs-2', tagsOf('theirs-2', subject.neighbour.installation))
        expect(await names()).toEqual([])
        expect(await names(subject.neighbour)).toEqual(['theirs-2'])
      })

      test('finds what carries our tag although nobody remembers it', async () => {
        await subject.add('leaked', tagsOf('leaked'))
        expect(await subject.run(subject.provider.list(asking()))).toMatchObject([
          { name: 'leaked', tags: tagsOf('leaked') },
        ])
      })

      test('describes one machine by its name or its identifier', async () => {
        const { providerId } = await make('vm-1')
        const { provider } = subject
        expect(await subject.run(provider.describe(ref('vm-1'), asking()))).toMatchObject({ providerId })
        expect(await subject.run(provider.describe({ name: 'vm-1', providerId }, asking()))).toMatchObject({
          name: 'vm-1',
          status: 'running',
        })
      })

      test('is sure of what does not exist, has vanished, or is not ours', async () => {
        const { providerId } = await make('vm-1')
        await subject.vanish('vm-1')
        await subject.add('theirs', null)
        for (const wanted of [ref('vm-1'), { name: 'vm-1', providerId }, ref('never'), ref('theirs')]) {
          expect(await subject.run(subject.provider.describe(wanted, asking()))).toBeUndefined()
        }
      })

      test('fails honestly: an answer that could not be had is an error, never an empty one', async () => {
        await make('vm-1')
        await subject.failQuestions()
        const { provider } = subject
        const questions: (() => Promise<unknown>)[] = [
          () => provider.list(asking()),
          () => provider.describe(ref('vm-1'), asking()),
          ...(can('resources') ? [() => provider.listResources(asking())] : []),
          ...(can('quota') ? [() => provider.quota(asking())] : []),
        ]
        const answers = await Promise.allSettled(questions.map(async (question) => await subject.run(question())))
        const honest = { status: 'rejected', reason: expect.any(ProviderError) as unknown }
        expect(answers).toEqual(questions.map(() => honest))
      })

      test('does not make a machine while it cannot look for it', async () => {
        await subject.failQuestions()
        await expect(make('vm-1')).rejects.toThrow(ProviderError)
        expect(await subject.count('vm-1')).toBe(0)
      })
    })

    describe('destroying', () => {
      test('removes the machine, twice without harm', async () => {
        const { providerId } = await make('vm-1')
        await make('vm-2')
        const { provider } = subject
        await subject.run(provider.destroy({ name: 'vm-1', providerId }, asking()))
        expect(await subject.count('vm-1')).toBe(0)
        await subject.run(provider.destroy({ name: 'vm-1', providerId }, asking()))
        await subject.run(provider.destroy(ref('never'), asking()))
        expect(await names()).toEqual(['vm-2'])
      })

      test('finds by its name what has no known identifier', async () => {
        await make('vm-1')
        await subject.run(subject.provider.destroy(ref('vm-1'), asking()))
        expect(await subject.count('vm-1')).toBe(0)
      })

      test('removes a machine in error', async () => {
        await make('vm-1')
        await subject.breakDown('vm-1')
        await subject.run(subject.provider.destroy(ref('vm-1'), asking()))
        expect(await subject.count('vm-1')).toBe(0)
      })

      test('never touches what is not ours', async () => {
        await subject.add('theirs-1', null)
        await subject.add('theirs-2', tagsOf('theirs-2', subject.neighbour.installation))
        for (const vm of ['theirs-1', 'theirs-2']) {
          await expect(subject.run(subject.provider.destroy(ref(vm), asking()))).rejects.toThrow(ForeignMachineError)
          expect(await subject.count(vm)).toBe(1)
        }
      })
    })

    describe('stand-by and reset', () => {
      test.runIf(can('standby'))('stops a machine and starts it again (C8)', async () => {
        const { provider } = subject
        const { providerId } = await make('vm-1')
        await subject.run(provider.stop({ name: 'vm-1', providerId }, asking()))
        expect(await subject.run(provider.list(asking()))).toMatchObject([{ name: 'vm-1', status: 'stopped' }])
        const started = await subject.run(provider.start({ name: 'vm-1', providerId }, asking()))
        expect(started).toMatchObject({ name: 'vm-1', providerId, status: 'running' })
        expect(isIP(started.address)).not.toBe(0)
      })

      test.runIf(can('standby'))('takes a stopped machine over by starting it', async () => {
        const { provider } = subject
        const { providerId } = await make('vm-1')
        await subject.run(provider.stop({ name: 'vm-1', providerId }, asking()))
        expect(await make('vm-1')).toMatchObject({ providerId, status: 'running' })
      })

      test.runIf(can('reset'))('resets a machine: it runs under its name and is still ours (C17)', async () => {
        const { provider } = subject
        const made = await make('vm-1')
        const reset = await subject.run(provider.reset({ name: 'vm-1', providerId: made.providerId }, asking()))
        expect(reset).toMatchObject({ name: 'vm-1', status: 'running', tags: made.tags })
        expect(await subject.count('vm-1')).toBe(1)
      })

      test.runIf(can('standby') || can('reset'))('says when the machine is not there', async () => {
        const { provider } = subject
        const acts: (() => Promise<unknown>)[] = [
          ...(can('standby')
            ? [() => provider.start(ref('never'), asking()), () => provider.stop(ref('never'), asking())]
            : []),
          ...(can('reset') ? [() => provider.reset(ref('never'), asking())] : []),
        ]
        for (const act of acts) await expect(subject.run(act())).rejects.toThrow(MachineNotFoundError)
      })
    })

    test.runIf(can('quota'))('tells how much of its quota is used', async () => {
      const { provider } = subject
      const before = await subject.run(provider.quota(asking()))
      await make('vm-1')
      const after = await subject.run(provider.quota(asking()))
      expect(after.machines?.used).toBe((before.machines?.used ?? 0) + 1)
    })

    describe.runIf(can('resources'))('volumes, addresses, key pairs (C10)', () => {
      const volume = (tags: MachineTags | null, id: string): ProviderResource => ({
        kind: 'volume',
        providerId: id,
        name: id,
        tags,
      })

      test('go with the machine that they were made for', async () => {
        const { provider } = subject
        await make('vm-1')
        const resources = await subject.run(provider.listResources(asking()))
        expect(resources.length).toBeGreaterThan(0)
        for (const { tags } of resources) expect(tags).toEqual(tagsOf('vm-1'))
        await subject.run(provider.destroy(ref('vm-1'), asking()))
        expect(await subject.run(provider.listResources(asking()))).toEqual([])
      })

      test('are found when they were left behind, and removed', async () => {
        const { provider } = subject
        await subject.addResource(volume(tagsOf('vm-9'), 'left'))
        await subject.addResource(volume(tagsOf('vm-9', subject.neighbour.installation), 'neighbours'))
        await subject.addResource(volume(null, 'nobodys'))
        const [left, ...more] = await subject.run(provider.listResources(asking()))
        expect(more).toEqual([])
        expect(left).toMatchObject({ kind: 'volume', tags: tagsOf('vm-9') })
        await subject.run(provider.destroyResource(left!, asking()))
        await subject.run(provider.destroyResource(left!, asking()))
        expect(await subject.run(provider.listResources(asking()))).toEqual([])
      })

      test('of others are never touched', async () => {
        const { provider, neighbour } = subject
        await subject.addResource(volume(tagsOf('vm-9', neighbour.installation), 'neighbours'))
        const [theirs] = await subject.run(neighbour.listResources(asking()))
        await expect(subject.run(provider.destroyResource(theirs!, asking()))).rejects.toThrow(ForeignMachineError)
        expect(await subject.run(neighbour.listResources(asking()))).toHaveLength(1)
      })
    })

    test('asks and does nothing once its signal is aborted', async () => {
      await make('vm-1')
      const { provider } = subject
      const reason = new RangeError('not any more')
      const late = { signal: AbortSignal.abort(reason) }
      const calls: (() => Promise<unknown>)[] = [
        () => provider.create(request('vm-2', late)),
        () => provider.destroy(ref('vm-1'), late),
        () => provider.list(late),
        () => provider.describe(ref('vm-1'), late),
      ]
      for (const call of calls) await expect(subject.run(call())).rejects.toBe(reason)
      expect(await names()).toEqual(['vm-1'])
    })
  })
}
