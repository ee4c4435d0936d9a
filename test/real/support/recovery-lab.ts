import { randomUUID } from 'node:crypto'
import { mkdtemp, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'

import { leasePort, type PortLease } from '@mainstay/testkit'
import { agentSpec } from 'mainstay/testkit'

import { INSTANCE_NAMESPACE } from '../../../packages/mainstay/src/compute/libvirt/index.ts'
import { runMainstay } from '../../support/mainstay-process.ts'
import { type Ended, ManagedProcess, startAlone } from '../../support/managed-process.ts'
import { ServeProcess } from '../../support/serve-process.ts'
import { PrivateLibvirtd } from '../lab/private-libvirtd.ts'
import { tinyDomainXml } from '../lab/tiny-domain.ts'
import { waitUntil } from '../lab/wait-until.ts'

const FENCE = fileURLToPath(new URL('fence-host.sh', import.meta.url))
const PATIENCE_MS = 60_000
const QUICK = ['log.level=warn', 'recovery.retry_after_ms=1000', 'recovery.poll_ms=100']

export interface Guest {
  readonly uuid: string
  readonly name: string
}

/** What `mainstay recovery show -f json` tells, as far as the tests look at it. */
export interface ShownRecovery {
  readonly status: string
  readonly outcome: string | null
  readonly heldReason: string | null
  readonly timeline: readonly { readonly phase: string; readonly at: string; readonly durationMs: number | null }[]
}

/** Private libvirt hosts, and the real commands of the product over them. */
export class RecoveryLab implements AsyncDisposable {
  readonly hosts: readonly PrivateLibvirtd[]
  readonly #directory: string
  /** Where every server of this lab listens, so that agents find the next one. */
  readonly #port: PortLease
  #server: ServeProcess | undefined
  readonly #agents: ManagedProcess[] = []
  readonly #beside: ServeProcess[] = []

  private constructor(hosts: readonly PrivateLibvirtd[], directory: string, port: PortLease) {
    this.hosts = hosts
    this.#directory = directory
    this.#port = port
  }

  static async start({ names }: { names: readonly string[] }): Promise<RecoveryLab> {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-recovery-'))
    const hosts = await Promise.all(names.map(async (hostname) => await PrivateLibvirtd.start({ hostname })))
    const lab = new RecoveryLab(hosts, directory, await leasePort())
    for (const host of hosts) await lab.#rememberNamespace(host)
    return lab
  }

  host(name: string): PrivateLibvirtd {
    const host = this.hosts.find(({ hostname }) => hostname === name)
    if (host === undefined) throw new Error(`There is no host ${name} in this lab.`)
    return host
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port.port}`
  }

  /** Starts the control plane over all hosts. Its database outlives it. @param fenced whether hosts have a fence */
  async serve({ fenced = false, set = [] as readonly string[] } = {}): Promise<ServeProcess> {
    await this.#server?.stop()
    this.#server = await ServeProcess.start({
      dataDir: this.dataDir,
      compute: 'libvirt',
      config: await this.#writeConfig(fenced),
      listen: `127.0.0.1:${this.#port.port}`,
      set: [...QUICK, ...set],
    })
    return this.#server
  }

  /** Starts one more engine over the same hosts, for a database that both reach. It is killed with the lab. */
  async serveBeside({ fenced = false, set = [] as readonly string[] } = {}): Promise<ServeProcess> {
    const dataDir = join(this.#directory, `data-${this.#beside.length + 2}`)
    const config = await this.#writeConfig(fenced)
    const server = await ServeProcess.start({ dataDir, compute: 'libvirt', config, set: [...QUICK, ...set] })
    this.#beside.push(server)
    return server
  }

  /** Where the control plane keeps what it knows. */
  get dataDir(): string {
    return join(this.#directory, 'data')
  }

  async #writeConfig(fenced: boolean): Promise<string> {
    const config = join(this.#directory, 'mainstay.toml')
    const hosts = this.hosts.map(
      ({ hostname, socketPath }) => `[[compute.libvirt_hosts]]\nname = "${hostname}"\nsocket = "${socketPath}"\n`,
    )
    const fences = this.hosts.map(({ hostname }) => {
      const [off, verify] = ['off', 'verify'].map(
        (what) => `["${FENCE}", "${what}", "${this.#namespaceFile('{host}')}"]`,
      )
      return `[[fence.command]]\nhosts = ["${hostname}"]\noff = ${off}\nverify = ${verify}\nexpect = "off"\n`
    })
    await writeFile(config, [...hosts, ...(fenced ? fences : [])].join('\n'))
    return config
  }

  get server(): ServeProcess {
    if (this.#server === undefined) throw new Error('The control plane has not been started.')
    return this.#server
  }

  /** Starts the monitors of a host and waits until they see its guests. */
  async agent(name: string): Promise<void> {
    const spec = agentSpec({
      hostname: name,
      endpoint: this.endpoint,
      libvirtSocket: this.host(name).socketPath,
      dataDir: join(this.#directory, `agent-${name}`),
      config: { callback: { retry_interval: 1 } },
    })
    const cluster = await startAlone({ ...spec, ready: { http: '/readyz' } }, { timeoutMs: PATIENCE_MS, retries: 3 })
    this.#agents.push(new ManagedProcess(cluster))
  }

  /** Runs a command against the control plane; it must succeed. */
  async mainstay(...args: readonly string[]): Promise<string> {
    const ended = await this.attempt(...args)
    if (ended.code !== 0) throw new Error(`mainstay ${args.join(' ')} ended with ${ended.code}: ${ended.stderr}`)
    return ended.stdout
  }

  /** Runs a command against the control plane, however it ends. */
  async attempt(...args: readonly string[]): Promise<Ended> {
    return await runMainstay(args, { env: { MAINSTAY_ENDPOINT: this.endpoint, USER: 'kim' } })
  }

  /** Makes the failover segment with all hosts in it. */
  async createSegment(method: 'auto' | 'reserved_host', { reserved = [] as readonly string[] } = {}): Promise<void> {
    await this.mainstay('segment', 'create', 'lab', method, 'COMPUTE')
    for (const { hostname } of this.hosts) {
      const flags = reserved.includes(hostname) ? ['--reserved', 'True'] : []
      await this.mainstay('host', 'create', hostname, 'COMPUTE', 'SSH', 'lab', ...flags)
    }
  }

  /** Defines a guest that carries the mark that asks for HA. */
  async define(host: string, name: string, { devices = '', start = true } = {}): Promise<Guest> {
    const uuid = randomUUID()
    const mark = `<m:meta key="HA_Enabled">True</m:meta>`
    const extra = `<metadata><m:instance xmlns:m="${INSTANCE_NAMESPACE}">${mark}</m:instance></metadata>`
    const file = join(this.#directory, `${name}.xml`)
    await writeFile(file, tinyDomainXml({ name, uuid, extra, devices }))
    await succeed(this.host(host), 'define', file)
    if (start) await succeed(this.host(host), 'start', name)
    return { uuid, name }
  }

  /** Waits until the control plane knows guests in a state: its inventory says so. */
  async known(names: readonly string[], state = ''): Promise<void> {
    const database = new DatabaseSync(join(this.dataDir, 'mainstay.db'), { readOnly: true })
    try {
      const reading = database.prepare('select name, state from instance_inventory')
      const isKnown = (name: string): boolean =>
        reading.all().some((row) => row['name'] === name && [row['state'], ''].includes(state))
      const what = `${names.join()} in the inventory ${state}`
      await waitUntil(() => names.every(isKnown), { timeoutMs: PATIENCE_MS, what })
    } finally {
      database.close()
    }
  }

  /** How the control plane sees a host. */
  async computeHost(name: string): Promise<{ readonly name: string; readonly state: string }> {
    const hosts = JSON.parse(await this.mainstay('compute-host', 'list', '-f', 'json')) as Record<string, string>[]
    const host = hosts.find((each) => each['name'] === name)
    if (host === undefined) throw new Error(`The control plane knows no host ${name}.`)
    return { name, state: host['state'] ?? '' }
  }

  /** Where QEMU runs a guest, by the process lists of all hosts. */
  async runsOn(guest: string): Promise<string[]> {
    const pids = await Promise.all(this.hosts.map(async (host) => await host.qemuPid(guest)))
    return this.hosts.flatMap(({ hostname }, index) => (pids[index] === undefined ? [] : [hostname]))
  }

  /** Reports a dead host as a monitor of the host's peers does. @returns the notification's id */
  async reportDead(host: string): Promise<string> {
    const payload = '{"event":"STOPPED","host_status":"NORMAL","cluster_status":"OFFLINE"}'
    const at = new Date().toISOString()
    const report = ['notification', 'create', 'COMPUTE_HOST', host, at, payload]
    const printed = await this.mainstay(...report, '-f', 'json')
    return (JSON.parse(printed) as { notification_uuid: string }).notification_uuid
  }

  /** Waits for the notification of a guest. @returns its id */
  async reported(guest: Guest): Promise<string> {
    return await waitUntil(
      async () => {
        const { notifications } = await this.#get<{ notifications: Notification[] }>('/v1/notifications')
        return notifications.find(({ payload }) => payload.instance_uuid === guest.uuid)?.notification_uuid
      },
      { timeoutMs: PATIENCE_MS, what: `a notification about ${guest.name}` },
    )
  }

  /** Waits until a recovery is as it should be. */
  async until(id: string, wanted: readonly string[], timeoutMs = PATIENCE_MS): Promise<ShownRecovery> {
    return await waitUntil(
      async () => {
        const recovery = await this.#get<ShownRecovery>(`/api/v1/recoveries/${id}`)
        return wanted.includes(recovery.status) && recovery
      },
      { timeoutMs, what: `a recovery that is ${wanted.join(' or ')}` },
    )
  }

  async statusOf(notification: string): Promise<string> {
    const path = `/v1/notifications/${notification}`
    return (await this.#get<{ notification: Notification }>(path)).notification.status
  }

  /** Moves of guests, as `guest status destination`. */
  async moves(notification: string): Promise<string[]> {
    const printed = await this.mainstay('vmove', 'list', notification, '-f', 'json')
    const moves = JSON.parse(printed) as Record<string, string | null>[]
    return moves.map((move) => `${move['server_name']} ${move['status']} ${move['dest_host']}`).sort()
  }

  /** Ends server and agents. @returns how the server ended */
  async stop(): Promise<Ended | undefined> {
    for (const agent of this.#agents.splice(0)) await agent.kill()
    const ended = await this.#server?.stop()
    this.#server = undefined
    return ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.#agents) await agent.kill()
    for (const server of [...this.#beside, this.#server]) await server?.kill()
    await Promise.all(this.hosts.map(async (host) => await host[Symbol.asyncDispose]()))
    this.#port.release()
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #get<Body>(path: string): Promise<Body> {
    const { status, body } = await this.server.client.request('GET', path)
    if (status !== 200) throw new Error(`GET ${path} was answered with ${status}`)
    return body as Body
  }

  #namespaceFile(host: string): string {
    return join(this.#directory, `${host}.namespace`)
  }

  async #rememberNamespace(host: PrivateLibvirtd): Promise<void> {
    await writeFile(this.#namespaceFile(host.hostname), await readlink(`/proc/${await host.daemonPid()}/ns/pid`))
  }
}

interface Notification {
  readonly notification_uuid: string
  readonly status: string
  readonly payload: { readonly instance_uuid?: string }
}

async function succeed(host: PrivateLibvirtd, ...args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await host.virsh(...args)
  if (exitCode !== 0) throw new Error(`virsh ${args.join(' ')} on ${host.hostname} failed: ${stderr}`)
}
