import type { ManualClock } from '../../../core/clock.ts'
import { silentLogger, type Logger } from '../../../core/logging.ts'
import type { Metrics } from '../../../core/metrics.ts'
import { SeededRandom } from '../../../core/random.ts'
import { TaskGroup } from '../../../core/task-group.ts'
import { agentOptions, type InstanceOptions } from '../../agent-options.ts'
import type { Receipt, Report, ReportSink, VmReport } from '../../report.ts'
import type { DomainMemory } from '../domain-memory.ts'
import type { DomainAccess, DomainListener, DomainSource } from '../domain-source.ts'
import { InstanceMonitor } from '../instance-monitor.ts'
import type { KnownDomain } from '../known-domain.ts'
import type { CurrentDomain } from '../reconcile.ts'

/** A libvirt whose guests are a table. */
export class Libvirt implements DomainSource {
  readonly domains = new Map<string, CurrentDomain>()
  listener: DomainListener | undefined
  list: DomainAccess['listDomains'] = async () => [...this.domains.values()]
  metadata: DomainAccess['metadata'] = async () => undefined

  start(listener: DomainListener): void {
    this.listener = listener
  }

  async stop(): Promise<void> {
    this.listener = undefined
  }

  connect(): void {
    this.listener?.connected({
      listDomains: async (options) => await this.list(options),
      metadata: async (...about) => await this.metadata(...about),
    })
  }

  /** The guest is there in that state; nobody is told. */
  put(uuid: string, state: number, reason: number, changed: Partial<CurrentDomain> = {}): void {
    this.domains.set(uuid, { uuid, name: `name-${uuid}`, state, reason, persistent: true, ...changed })
  }

  lifecycle(uuid: string, event: number, detail: number): void {
    this.listener?.event({ id: 0, domain: { uuid, name: `name-${uuid}`, id: 1 }, event, detail })
  }

  /** The guest fails, and libvirt says so. */
  fail(uuid: string): void {
    this.put(uuid, 5, 6)
    this.lifecycle(uuid, 5, 5)
  }
}

/** A file of what is known. */
export class Memory implements DomainMemory {
  written: ReadonlyMap<string, KnownDomain> | undefined
  async load(): Promise<ReadonlyMap<string, KnownDomain> | undefined> {
    return this.written
  }
  async save(domains: ReadonlyMap<string, KnownDomain>): Promise<void> {
    this.written = domains
  }
}

/** Takes reports as the spool does. */
export class Sink implements ReportSink {
  durable = true
  readonly reports: VmReport[] = []
  take: (report: Report) => Promise<void> = async () => undefined
  async accept(report: Report): Promise<Receipt> {
    await this.take(report)
    this.reports.push(report as VmReport)
    return { id: `${this.reports.length}`, durable: this.durable }
  }
  get told(): string[] {
    return this.reports.map(({ payload }) => `${payload.instance_uuid} ${payload.vir_domain_event}`)
  }
}

/** What a monitor works with; the memory outlives it. */
export interface Surroundings {
  readonly clock: ManualClock
  readonly libvirt: Libvirt
  readonly memory: Memory
  readonly sink: Sink
  readonly metrics: Metrics
  /** Silent unless there is one. */
  readonly logger?: Logger
}

export async function startMonitor(
  { clock, libvirt, memory, sink, metrics, logger = silentLogger() }: Surroundings,
  instance: Partial<InstanceOptions> = {},
): Promise<InstanceMonitor> {
  const tasks = new TaskGroup({ clock, logger })
  const context = { sink, clock, logger, metrics, tasks, random: new SeededRandom(1) }
  const options = agentOptions({ hostname: 'cn7', instance })
  return await InstanceMonitor.start({ context, source: libvirt, memory, options })
}
