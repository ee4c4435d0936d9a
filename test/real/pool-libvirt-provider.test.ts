import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { openMemoryPool } from '../../packages/mainstay/src/pool/memory/store.ts'
import { groupRules, poolRules } from '../../packages/mainstay/src/pool/options.ts'
import { providerConformance, type ProviderSubject } from '../../packages/mainstay/src/pool/provider/conformance.ts'
import {
  ADDRESS_NAMESPACE,
  LibvirtProvider,
  type LibvirtTemplate,
} from '../../packages/mainstay/src/pool/provider/libvirt/index.ts'
import { writeNamespacedMachineElement } from '../../packages/mainstay/src/pool/provider/libvirt/machine-element.ts'
import { volumeName } from '../../packages/mainstay/src/pool/provider/libvirt/volume-name.ts'
import type { CreateRequest, MachineTags } from '../../packages/mainstay/src/pool/provider/provider.ts'
import { reconcile } from '../../packages/mainstay/src/pool/reconcile/index.ts'
import { need } from '../support/need.ts'
import { agentGuestXml, requireAgentGuest, tellConsole } from './lab/agent-guest.ts'
import { PrivateLibvirtd } from './lab/private-libvirtd.ts'
import { requireLibvirt } from './lab/requirements.ts'
import { tinyDomainXml } from './lab/tiny-domain.ts'

const POOL = 'guests'
const DISK = `<disk type='file' device='disk'><source file='/replaced'/><target dev='vda' bus='virtio'/></disk>`
const ADDRESSES = Array.from({ length: 20 }, (_, index) => `192.0.2.${index + 1}`)
const OLD_MS = 3_600_000

/** More than any machine that runs these tests has. */
const HUGE_MIB = 64 * 1024 * 1024

/** A host with a storage pool and an image for guests to lie over. */
class PoolHost implements AsyncDisposable {
  readonly libvirtd: PrivateLibvirtd
  readonly folder: string
  readonly base: string

  private constructor(libvirtd: PrivateLibvirtd) {
    this.libvirtd = libvirtd
    this.folder = join(libvirtd.directory, 'guests')
    this.base = join(libvirtd.directory, 'images', 'base.qcow2')
  }

  static async start(): Promise<PoolHost> {
    const host = new PoolHost(await PrivateLibvirtd.start({ hostname: 'pool-host' }))
    try {
      for (const name of [POOL, 'images']) {
        const target = join(host.libvirtd.directory, name)
        await mkdir(target)
        await host.succeed('pool-define-as', name, 'dir', '--target', target)
        await host.succeed('pool-start', name)
        await host.succeed('pool-autostart', name)
      }
      await host.succeed('vol-create-as', 'images', 'base.qcow2', '4M', '--format', 'qcow2')
      return host
    } catch (error) {
      await host[Symbol.asyncDispose]()
      throw error
    }
  }

  provider(installation: string, more: Record<string, LibvirtTemplate> = {}): LibvirtProvider {
    const disk = { pool: POOL, basePath: this.base, sizeMib: 8 }
    const address = { rule: 'static', addresses: ADDRESSES } as const
    const provider = new LibvirtProvider({
      name: 'lab',
      installation,
      clock: new SystemClock(),
      ids: new SystemIds(),
      socketPath: this.libvirtd.socketPath,
      settings: { connectTimeoutMs: 2000, gracefulStopMs: 0, pollMs: 100 },
      templates: {
        default: { xml: tinyDomainXml({ devices: DISK }), disk, address },
        huge: { xml: tinyDomainXml({ devices: DISK, memoryMiB: HUGE_MIB }), disk, address },
        diskless: { xml: tinyDomainXml(), disk: null, address },
        broken: { xml: '<domain><name>', disk: null, address },
        full: { xml: tinyDomainXml(), disk: null, address: { rule: 'static', addresses: [] } },
        told: { xml: tinyDomainXml(), disk: null, address: { rule: 'metadata' } },
        ...more,
      },
    })
    onTestFinished(async () => await provider.close())
    return provider
  }

  async succeed(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.libvirtd.virsh(...args)
    if (exitCode !== 0) throw new Error(`virsh ${args.join(' ')} failed: ${stderr}`)
    return stdout
  }

  /** Its daemon is started for it if a test ended that. */
  async guests(): Promise<string[]> {
    if ((await this.libvirtd.daemonPid()) === undefined) await this.libvirtd.startDaemon()
    const names = (await this.succeed('list', '--all', '--name')).split('\n')
    return names.map((name) => name.trim()).filter((name) => name !== '')
  }

  async volumes(): Promise<string[]> {
    await this.succeed('pool-refresh', POOL)
    const lines = (await this.succeed('vol-list', POOL)).split('\n').slice(2)
    return lines.map((line) => line.trim().split(/\s+/)[0]!).filter((name) => name !== '')
  }

  /** Defines a guest past every driver. */
  async add(name: string, tags: MachineTags | null, { start = false } = {}): Promise<void> {
    const element = tags === null ? '' : writeNamespacedMachineElement({ tags, template: 'default', address: null })
    const file = join(this.libvirtd.directory, `${name}.xml`)
    await writeFile(file, tinyDomainXml({ name, extra: `<metadata>${element}</metadata>` }))
    await this.succeed('define', file)
    if (start) await this.succeed('start', name)
  }

  async remove(name: string): Promise<void> {
    await this.libvirtd.virsh('destroy', name)
    await this.succeed('undefine', name)
  }

  async reset(): Promise<void> {
    for (const name of await this.guests()) await this.remove(name)
    for (const name of await this.volumes()) await this.succeed('vol-delete', '--pool', POOL, name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.libvirtd[Symbol.asyncDispose]()
  }
}

/** The same host for all cases: each leaves it empty. */
let shared: PoolHost | undefined
const host = async (): Promise<PoolHost> => (shared ??= await PoolHost.start())
afterAll(async () => await shared?.[Symbol.asyncDispose]())

async function subject(): Promise<ProviderSubject> {
  const lab = await host()
  const provider = lab.provider('ours')
  return {
    provider,
    neighbour: lab.provider('theirs'),
    profile: {},
    run: async (work) => await work,
    reopen: async () => lab.provider('ours'),
    add: async (name, tags) => await lab.add(name, tags),
    count: async (name) => (await lab.guests()).filter((each) => each === name).length,
    vanish: async (name) => await lab.remove(name),
    breakDown: async (name) => await lab.libvirtd.killQemu(name),
    failNextCreate: async (kind) => {
      const templates: Partial<Record<typeof kind, string>> = { invalid: 'broken', capacity: 'huge' }
      const template = templates[kind]
      return template === undefined ? undefined : { template }
    },
    failQuestions: async () => await lab.libvirtd.stopDaemon(),
    addResource: async ({ tags, name }) => {
      const file = tags === null ? name : volumeName({ ...tags, vmName: tags.vmName })
      await writeFile(join(lab.folder, file), '')
    },
    dispose: async () => await lab.reset(),
  }
}

providerConformance('libvirt', subject, {
  callTimeoutMs: 60_000,
  caseTimeoutMs: 120_000,
  requires: (context) => {
    requireLibvirt(context)
    need(context, { program: 'qemu-img', package: 'qemu-utils' })
  },
})

describe('real guests of a pool', () => {
  beforeEach((context) => {
    requireLibvirt(context)
    need(context, { program: 'qemu-img', package: 'qemu-utils' })
    return async () => await shared?.reset()
  })

  const asking = () => ({ signal: AbortSignal.timeout(100_000) })
  const request = (name: string, change: Partial<CreateRequest> = {}): CreateRequest => {
    return { name, pool: 'g', createdAt: Date.now(), profile: {}, ...asking(), ...change }
  }
  const tags = (vmName: string, installation = 'ours'): MachineTags => {
    return { installation, pool: 'g', vmName, createdAt: Date.now() - OLD_MS }
  }

  /** A pool in memory over the host. */
  async function pool(provider: LibvirtProvider) {
    const store = openMemoryPool()
    onTestFinished(async () => await store[Symbol.asyncDispose]())
    await store.configure({ pool: poolRules(), groups: [groupRules({ id: 'g', maxTotal: 0 })] }, { fence: null })
    const pass = async () => {
      const parts = { store, providers: [provider], clock: new SystemClock() }
      return await reconcile(parts, { signal: AbortSignal.timeout(60_000), fence: null })
    }
    const know = async (name: string) => {
      const { providerId, address } = await provider.create(request(name))
      const now = Date.now() - OLD_MS
      await store.addVm({ name, group: 'g', ip: address, provider: 'lab', providerId, now, fence: null })
    }
    return { store, pass, know }
  }

  test('C10 a leaked guest with our tag is found and removed with its volume; a foreign guest is never touched', async () => {
    const lab = await host()
    const provider = lab.provider('ours')
    const { pass, know } = await pool(provider)
    await know('known')
    await provider.create(request('leaked', { createdAt: Date.now() - OLD_MS }))
    await provider.create(request('young'))
    await lab.add('foreign', null, { start: true })
    await lab.add('neighbour', tags('neighbour', 'theirs'), { start: true })

    const report = await pass()

    expect(report.carriedOut).toMatchObject([
      { decision: { decide: 'destroy_machine', machine: { name: 'leaked' } }, outcome: 'done' },
    ])
    expect((await lab.guests()).sort()).toEqual(['foreign', 'known', 'neighbour', 'young'])
    expect(new Set((await lab.volumes()).map((name) => name.split('.')[4]))).toEqual(new Set(['known', 'young']))
    for (const name of ['foreign', 'neighbour', 'known', 'young']) {
      expect(await lab.libvirtd.qemuPid(name)).toBeDefined()
    }
  })

  test('C10 a volume that outlived its guest is removed', async () => {
    const lab = await host()
    const { pass } = await pool(lab.provider('ours'))
    const theirs = volumeName(tags('gone', 'theirs'))
    for (const name of [volumeName(tags('gone')), theirs, 'somebody.img']) await writeFile(join(lab.folder, name), '')
    expect((await pass()).carriedOut).toMatchObject([{ decision: { decide: 'destroy_resource' }, outcome: 'done' }])
    expect(new Set(await lab.volumes())).toEqual(new Set([theirs, 'somebody.img']))
  })

  test('C10 a guest that was killed, one that was removed and one that stopped by itself are noticed', async () => {
    const lab = await host()
    const { store, pass, know } = await pool(lab.provider('ours'))
    for (const name of ['killed', 'removed', 'stopped', 'well']) await know(name)
    await lab.libvirtd.killQemu('killed')
    await lab.remove('removed')
    await lab.succeed('destroy', 'stopped')
    await pass()
    const { vms } = await store.list({ limit: 10 })
    expect(Object.fromEntries(vms.map(({ name, state }) => [name, state]))).toEqual({
      killed: 'terminating',
      stopped: 'terminating',
      well: 'got_ip',
    })
  })

  test('C10 a host that does not answer loses nothing', async () => {
    const lab = await host()
    const { store, pass, know } = await pool(lab.provider('ours'))
    await know('vm-1')
    await lab.libvirtd.stopDaemon()
    expect((await pass()).decisions).toMatchObject([{ decide: 'skip_provider' }])
    expect((await store.list({ limit: 10 })).vms).toHaveLength(1)
  })

  test('C6 a creation that was cut off between definition and start is taken over', async () => {
    const lab = await host()
    const controller = new AbortController()
    const accepted: string[] = []
    const making = lab.provider('ours').create(
      request('vm-1', {
        signal: controller.signal,
        // As a kill would: nothing after this is done, nothing is cleaned up.
        onAccepted: async ({ providerId }) => {
          accepted.push(providerId)
          controller.abort(new RangeError('killed'))
        },
      }),
    )
    await expect(making).rejects.toThrow('killed')
    expect(await lab.guests()).toEqual(['vm-1'])
    const again = await lab.provider('ours').create(request('vm-1'))
    expect([again.providerId]).toEqual(accepted)
    expect(await lab.libvirtd.qemuPid('vm-1')).toBeDefined()
    expect(await lab.guests()).toEqual(['vm-1'])
  })

  test('each guest has its own volume over the image, which nobody changes', async () => {
    const lab = await host()
    const provider = lab.provider('ours')
    const [one] = [await provider.create(request('vm-1')), await provider.create(request('vm-2'))]
    const [path] = /\/\S+qcow2/.exec(await lab.succeed('domblklist', 'vm-1'))!
    expect(path.startsWith(lab.folder)).toBe(true)
    expect(await lab.succeed('vol-dumpxml', path)).toContain(`<path>${lab.base}</path>`)
    const before = await lab.succeed('vol-info', '--bytes', lab.base)
    await provider.reset({ name: 'vm-1', providerId: one.providerId }, asking())
    expect(await lab.volumes()).toHaveLength(2)
    expect(await lab.succeed('vol-info', '--bytes', lab.base)).toBe(before)
  })

  test('static addresses are given once each, and again when they are free', async () => {
    const lab = await host()
    const provider = lab.provider('ours', {
      two: { xml: tinyDomainXml(), disk: null, address: { rule: 'static', addresses: ['192.0.2.100', '192.0.2.101'] } },
    })
    const profile = { template: 'two' }
    const both = await Promise.all(
      ['vm-1', 'vm-2'].map(async (name) => await provider.create(request(name, { profile }))),
    )
    expect(both.map(({ address }) => address).sort()).toEqual(['192.0.2.100', '192.0.2.101'])
    await expect(provider.create(request('vm-3', { profile }))).rejects.toMatchObject({ class: 'capacity' })
    await provider.destroy({ name: 'vm-1', providerId: null }, asking())
    expect((await provider.create(request('vm-3', { profile }))).address).toBe(both[0]!.address)
  })

  test('an address that somebody else tells is waited for', async () => {
    const lab = await host()
    const provider = lab.provider('ours')
    const tell = async (): Promise<void> => {
      await expect.poll(async () => await lab.libvirtd.qemuPid('vm-1'), { timeout: 60_000 }).toBeDefined()
      const told = ['--key', 'address', '--set', '<address>192.0.2.77</address>']
      await lab.succeed('metadata', 'vm-1', ADDRESS_NAMESPACE, ...told)
    }
    const making = provider.create(request('vm-1', { profile: { template: 'told' } }))
    const [machine] = await Promise.all([making, tell()])
    expect(machine.address).toBe('192.0.2.77')
    expect(await provider.list(asking())).toMatchObject([{ name: 'vm-1', address: '192.0.2.77' }])
  })

  test('an address that the agent inside tells is found', async (context) => {
    const image = await requireAgentGuest(context)
    const lab = await host()
    const consoleOf = (name: string): string => join(lab.libvirtd.directory, `${name}.console`)
    const xml = agentGuestXml({
      name: 'replaced',
      uuid: '11111111-2222-4333-8444-555555555555',
      image,
      consolePath: consoleOf('${MAINSTAY_VM_NAME}'),
    })
    const provider = lab.provider('ours', { agent: { xml, disk: null, address: { rule: 'agent' } } })
    const ping = ['qemu-agent-command', 'vm-1', '{"execute":"guest-ping"}']
    const tell = async (): Promise<void> => {
      const answers = async (): Promise<number> => (await lab.libvirtd.virsh(...ping)).exitCode
      await expect.poll(answers, { timeout: 60_000, interval: 500 }).toBe(0)
      await tellConsole(consoleOf('vm-1'), 'ifconfig lo 192.0.2.55 up')
    }
    const making = provider.create(request('vm-1', { profile: { template: 'agent' } }))
    const [machine] = await Promise.all([making, tell()])
    expect(machine.address).toBe('192.0.2.55')
  })
})
