import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { ComputeSubject } from '../../packages/mainstay/src/compute/conformance.ts'
import {
  INSTANCE_NAMESPACE,
  LibvirtCompute,
  type LibvirtSettings,
} from '../../packages/mainstay/src/compute/libvirt/index.ts'
import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import type { MainstayEvent } from '../../packages/mainstay/src/core/event.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { SqliteStore } from '../../packages/mainstay/src/store/index.ts'
import { Inventory } from '../../packages/mainstay/src/compute/libvirt/inventory.ts'
import { PrivateLibvirtd } from './lab/private-libvirtd.ts'
import { tinyDomainXml } from './lab/tiny-domain.ts'
import { waitUntil } from './lab/wait-until.ts'

/** More than any machine that runs these tests has. */
const HUGE_MIB = 64 * 1024 * 1024

export interface GuestOptions {
  readonly name: string
  readonly uuid?: string
  readonly memoryMiB?: number
  readonly devices?: string
  readonly metadata?: string
}

/** Two real hosts with one database between them, and a driver over both. */
export class TwoLibvirtHosts implements AsyncDisposable {
  readonly source: PrivateLibvirtd
  readonly target: PrivateLibvirtd
  readonly store: SqliteStore
  /** Alarms that were raised. */
  readonly events: MainstayEvent[] = []
  readonly #directory: string
  readonly #settings: Partial<LibvirtSettings>
  readonly #names = new Map<string, string>()
  #compute: LibvirtCompute | undefined

  private constructor(
    hosts: readonly [PrivateLibvirtd, PrivateLibvirtd],
    store: SqliteStore,
    directory: string,
    settings: Partial<LibvirtSettings>,
  ) {
    const [source, target] = hosts
    this.source = source
    this.target = target
    this.store = store
    this.#directory = directory
    this.#settings = settings
  }

  /** Starts the hosts. The driver is not opened yet: define guests first, or open it and define them then. */
  static async start(settings: Partial<LibvirtSettings> = {}): Promise<TwoLibvirtHosts> {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-libvirt-'))
    const hosts = await Promise.all([
      PrivateLibvirtd.start({ hostname: 'lab-source' }),
      PrivateLibvirtd.start({ hostname: 'lab-target' }),
    ])
    const store = SqliteStore.open({ path: join(directory, 'mainstay.db'), clock: new SystemClock() })
    await store.migrate()
    return new TwoLibvirtHosts(hosts, store, directory, settings)
  }

  get compute(): LibvirtCompute {
    if (this.#compute === undefined) throw new Error('The driver is not open.')
    return this.#compute
  }

  async open(settings: Partial<LibvirtSettings> = {}): Promise<LibvirtCompute> {
    const { source, target, store, events } = this
    this.#compute = await LibvirtCompute.open({
      clock: new SystemClock(),
      ids: new SystemIds(),
      logger: silentLogger(),
      store,
      hosts: [source, target].map(({ hostname, socketPath }) => ({ name: hostname, socketPath })),
      publish: { publish: (event) => void events.push(event) },
      settings: { gracefulStopMs: 0, reconnectMinMs: 50, reconnectMaxMs: 200, ...this.#settings, ...settings },
    })
    return this.#compute
  }

  /** Ends the driver alone, as a process that is restarted would. */
  async close(): Promise<void> {
    await this.#compute?.close()
    this.#compute = undefined
  }

  /** Defines a guest; starts it when asked to. @returns its id */
  async define(host: PrivateLibvirtd, options: GuestOptions, { start = false } = {}): Promise<string> {
    const uuid = options.uuid ?? randomUUID()
    const metadata = `<metadata><m:instance xmlns:m="${INSTANCE_NAMESPACE}">${options.metadata ?? ''}</m:instance></metadata>`
    const file = join(this.#directory, `${options.name}.xml`)
    await writeFile(file, tinyDomainXml({ ...options, uuid, extra: metadata }))
    await succeed(host, 'define', file)
    if (start) await succeed(host, 'start', options.name)
    this.#names.set(uuid, options.name)
    return uuid
  }

  nameOf(uuid: string): string {
    return this.#names.get(uuid) ?? uuid
  }

  hostNamed(name: string): PrivateLibvirtd {
    return name === this.source.hostname ? this.source : this.target
  }

  /** Where QEMU runs the guest, by the process lists of both hosts. */
  async runningCopies(uuid: string): Promise<string[]> {
    const hosts = [this.source, this.target]
    const pids = await Promise.all(hosts.map(async (host) => await host.qemuPid(this.nameOf(uuid))))
    return hosts.flatMap(({ hostname }, index) => (pids[index] === undefined ? [] : [hostname]))
  }

  /** Closes the driver and takes every guest and its record away; switches on what is off. Quicker than new hosts. */
  async reset(): Promise<void> {
    await this.close()
    await Promise.all([this.source, this.target].map(async (host) => await empty(host)))
    await this.store.write(async (queries) => await queries.deleteFrom('instance_inventory').execute())
    this.events.length = 0
    this.#names.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
    await Promise.all([this.source[Symbol.asyncDispose](), this.target[Symbol.asyncDispose]()])
    await this.store.close()
    await rm(this.#directory, { recursive: true, force: true })
  }
}

/** The guests that the conformance suite asks for, on hosts that have none. */
export async function libvirtSubject(hosts: TwoLibvirtHosts): Promise<ComputeSubject> {
  const { source, target } = hosts
  const running = await hosts.define(source, { name: 'running' }, { start: true })
  const stopped = await hosts.define(source, { name: 'stopped' })
  const bound = await hosts.define(source, {
    name: 'bound',
    devices: `<disk type='file'><source file='/local/disk.img'/><target dev='vda' bus='virtio'/></disk>`,
  })
  const huge = await hosts.define(source, { name: 'huge', memoryMiB: HUGE_MIB })
  const compute = await hosts.open()
  return {
    compute,
    clock: new SystemClock(),
    source: source.hostname,
    target: target.hostname,
    running,
    stopped,
    bound,
    huge,
    killGuest: async (uuid) => {
      const [host] = await hosts.runningCopies(uuid)
      await hosts.hostNamed(host!).killQemu(hosts.nameOf(uuid))
    },
    killHost: async (name) => await hosts.hostNamed(name).powerOff(),
    runningCopies: async (uuid) => await hosts.runningCopies(uuid),
    interruptedBy: async (begin, uuid) => {
      const inventory = new Inventory(hosts.store)
      const claimed = waitUntil(async () => (await inventory.find(uuid))?.host === target.hostname, {
        timeoutMs: 10_000,
        pollMs: 1,
        what: 'the claim on the guest',
      })
      // What a process that has died would have heard is nobody's any more.
      const begun = begin(compute).then(
        () => true,
        () => false,
      )
      await claimed
      await hosts.close()
      await begun
      return await hosts.open()
    },
    dispose: async () => await hosts.reset(),
  }
}

async function empty(host: PrivateLibvirtd): Promise<void> {
  if ((await host.daemonPid()) === undefined) {
    await host.powerOff()
    await host.powerOn()
  }
  const { stdout } = await host.virsh('list', '--all', '--name')
  const guests = stdout.split('\n').filter((name) => name !== '')
  for (const guest of guests) {
    // It may be off already; the definition alone matters.
    await host.virsh('destroy', guest)
    await succeed(host, 'undefine', guest)
  }
}

async function succeed(host: PrivateLibvirtd, ...args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await host.virsh(...args)
  if (exitCode !== 0) throw new Error(`virsh ${args.join(' ')} on ${host.hostname} failed: ${stderr}`)
}
