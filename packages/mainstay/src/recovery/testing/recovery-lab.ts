import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  SimulatedCompute,
  auditFleetLog,
  readFleetLog,
  type FleetAudit,
  type FleetEvent,
  type SimulatedComputeOptions,
} from '../../compute/simulated/index.ts'
import { canonicalJson, type JsonObject } from '../../core/json.ts'
import { silentLogger } from '../../core/logging.ts'
import {
  findHostByName,
  findNotification,
  listVmoves,
  type HaEvent,
  type Host,
  type NotificationStatus,
  type NotificationType,
  type ProgressDetail,
  type RecoveryMethod,
  type Vmove,
} from '../../ha/index.ts'
import type { Engine, WorkflowDefinition, WorkflowStatus } from '../../journal/index.ts'
import { TestJournal } from '../../journal/testing/start-journal.ts'
import {
  DEFAULT_POLICY,
  PowerFence,
  RecoveryDesk,
  describeRecovery,
  hostFailureWorkflow,
  instanceFailureWorkflow,
  processFailureWorkflow,
  progressDetails,
  startRecovery,
  type Fence,
  type News,
  type RecoveryPolicy,
  type RecoveryTools,
} from '../index.ts'

export interface LabOptions {
  readonly method?: RecoveryMethod
  readonly enabled?: boolean
  /** Names of the segment's reserved hosts, oldest first. */
  readonly reserved?: readonly string[]
  readonly policy?: Partial<RecoveryPolicy>
  readonly size?: SimulatedComputeOptions['size']
  readonly latency?: SimulatedComputeOptions['latency']
  readonly fences?: (lab: RecoveryLab) => readonly Fence[]
}

const STOPPED = { event: 'STOPPED', host_status: 'NORMAL', cluster_status: 'OFFLINE' }
const SEGMENT = 'aaaaaaaa-0000-4000-8000-000000000001'

/**
 * Recovery as the server runs it, on a simulated fleet of four hosts with two guests each, on a clock that is moved by
 * hand. All hosts are in one segment.
 */
export class RecoveryLab implements AsyncDisposable {
  readonly journal: TestJournal
  readonly compute: SimulatedCompute
  readonly desk: RecoveryDesk
  readonly news: News[] = []
  /** What Masakari's listeners were told, in the order in which it was written. */
  readonly told: HaEvent[] = []
  policy: RecoveryPolicy
  fences: readonly Fence[] = []
  engine: Engine
  readonly #directory: string
  #notifications = 0

  private constructor(directory: string, journal: TestJournal, { policy, size, latency = {} }: LabOptions) {
    this.#directory = directory
    this.journal = journal
    const { clock } = journal
    const world = { hosts: 4, guests: 8, seed: 7, ...size }
    this.compute = new SimulatedCompute({ clock, logger: silentLogger(), size: world, latency, directory })
    this.policy = { ...DEFAULT_POLICY, ...policy }
    this.engine = journal.engine(this.definitions())
    const poke = (): void => this.engine.poke()
    this.desk = new RecoveryDesk({ store: journal.store, clock, ids: journal.ids, poke })
  }

  static async open(options: LabOptions = {}): Promise<RecoveryLab> {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-recovery-'))
    const lab = new RecoveryLab(directory, await TestJournal.open(), options)
    await lab.#fill(options)
    lab.fences = options.fences?.(lab) ?? [lab.powerFence()]
    await lab.engine.start()
    return lab
  }

  /** The workflows as the server registers them, with the policy and fences of now. */
  definitions(): WorkflowDefinition[] {
    const tools: RecoveryTools = {
      compute: this.compute,
      fencesFor: () => this.fences,
      policy: this.policy,
      ids: this.journal.ids,
      announce: async (_queries, news) => void this.news.push(news),
      tellListeners: async (_queries, event) => void this.told.push(event),
    }
    const all = [hostFailureWorkflow(tools), instanceFailureWorkflow(tools), processFailureWorkflow(tools)]
    return all as unknown as WorkflowDefinition[]
  }

  /** The process dies without a word, and another one takes its place. */
  async restart(): Promise<void> {
    this.engine = this.journal.engine(this.definitions(), { exclusive: true })
    await this.engine.start()
  }

  powerFence(): Fence {
    const { power } = this.compute
    const { clock } = this.journal
    return new PowerFence({
      method: 'simulated',
      clock,
      power: {
        powerOff: async (host, options) => await power.powerOffHost(host, options),
        readPower: async (host, options) => await power.readPower(host, options),
      },
    })
  }

  /** Stores a notification as the API does. @returns its id */
  async notify(
    host: string,
    { type = 'COMPUTE_HOST', payload = STOPPED }: { type?: NotificationType; payload?: JsonObject } = {},
  ): Promise<string> {
    this.#notifications += 1
    const uuid = `bbbbbbbb-0000-4000-8000-${String(this.#notifications).padStart(12, '0')}`
    const now = this.journal.clock.now()
    const source = await this.host(host)
    const enqueued = await this.journal.store.write(async (queries) => {
      await queries
        .insertInto('notifications')
        .values({
          notification_uuid: uuid,
          generated_time: now - 1000,
          source_host_uuid: source.uuid,
          type,
          payload: canonicalJson(payload),
          status: 'new',
          failover_segment_uuid: SEGMENT,
          message: null,
          idempotency_key: null,
          created_at: now,
          updated_at: null,
          deleted_at: null,
        })
        .execute()
      return await startRecovery(queries, (await findNotification(queries, uuid))!, now)
    })
    this.engine.poke(enqueued)
    return uuid
  }

  /** Kills the host and reports it. */
  async lose(host: string): Promise<string> {
    this.compute.fleet.killHost(host)
    return await this.notify(host)
  }

  async host(name: string): Promise<Host> {
    const host = await findHostByName(this.journal.store.read, name)
    if (host === undefined) throw new Error(`There is no host ${name}.`)
    return host
  }

  /** Guests of a host, in the platform's order. */
  guestsOf(host: string): string[] {
    return [...this.compute.fleet.host(host).guests].map(({ uuid }) => uuid)
  }

  hostOf(guest: string): string {
    return this.compute.fleet.guest(guest).host.name
  }

  async status(uuid: string): Promise<{ status: NotificationStatus; message: string | null }> {
    const found = await findNotification(this.journal.store.read, uuid)
    if (found === undefined) throw new Error(`There is no notification ${uuid}.`)
    return { status: found.status, message: found.message }
  }

  async moves(uuid: string): Promise<Vmove[]> {
    return await listVmoves(this.journal.store.read, uuid)
  }

  /** Moves the clock until the notification is so. */
  async untilNotification(uuid: string, wanted: NotificationStatus): Promise<void> {
    const what = `notification ${uuid} is ${wanted}`
    await this.journal.untilTrue(what, async () => (await this.status(uuid)).status === wanted, 500)
  }

  /** Moves the clock until the recovery is so. */
  async until(uuid: string, wanted: WorkflowStatus): Promise<ReturnType<typeof describeRecovery>> {
    const workflow = await this.journal.until(uuid, wanted, 500)
    return describeRecovery(workflow, await this.journal.history(uuid))
  }

  async details(uuid: string): Promise<ProgressDetail[]> {
    return progressDetails(await this.journal.history(uuid), (await this.journal.find(uuid)).status)
  }

  /** What the platform took on and did, from its own log. */
  fleetLog(): FleetEvent[] {
    return readFleetLog(this.#directory)
  }

  /** Requests that the platform accepted, as `act guest`. */
  accepted(): string[] {
    return this.fleetLog().flatMap((event) => (event.type === 'accepted' ? [`${event.act} ${event.instance}`] : []))
  }

  audit(): FleetAudit {
    return auditFleetLog(this.fleetLog())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.journal[Symbol.asyncDispose]()
    await this.compute.close()
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #fill({ method = 'auto', enabled = true, reserved = [] }: LabOptions): Promise<void> {
    const names = [...this.compute.fleet.world.hosts.keys()]
    const at = this.journal.clock.now() - 60_000
    const live = { updated_at: null, deleted_at: null }
    await this.journal.store.write(async (queries) => {
      const segment = { uuid: SEGMENT, name: 'segment', service_type: 'compute', description: null }
      await queries
        .insertInto('failover_segments')
        .values({ ...segment, enabled: enabled ? 1 : 0, recovery_method: method, created_at: at, ...live })
        .execute()
      const host = { type: 'COMPUTE', control_attributes: 'SSH', on_maintenance: 0, failover_segment_id: SEGMENT }
      const others = names.filter((name) => !reserved.includes(name))
      const rows = [...others, ...reserved].map((name, index) => ({
        ...host,
        uuid: `cccccccc-0000-4000-8000-${name.replace('host-', '').padStart(12, '0')}`,
        name,
        reserved: reserved.includes(name) ? 1 : 0,
        created_at: at + index * 1000,
        ...live,
      }))
      await queries.insertInto('hosts').values(rows).execute()
    })
  }
}
