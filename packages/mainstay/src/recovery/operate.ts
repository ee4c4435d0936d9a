import type { Clock } from '../core/clock.ts'
import type { Ids } from '../core/ids.ts'
import {
  WorkflowNotFoundError,
  cancelWorkflow,
  findSubjectHolder,
  findWorkflow,
  listWorkflows,
  signalWorkflow,
  workflowHistory,
  type WorkflowStatus,
  type WorkflowSummary,
} from '../journal/index.ts'
import type { Store } from '../store/index.ts'
import type { Recovery } from '../client/index.ts'
import { ApprovalNotEnoughError, NothingHeldError, RecoveryStateError } from './errors.ts'
import { describeRecovery } from './explain/describe-recovery.ts'
import { isProvingAgain } from './rules/is-proving.ts'
import { WORKFLOW_OF } from './start-recovery.ts'
import type { RecoveryInput } from './workflows/notification-flow.ts'
import { ASSERTED, TRY_AGAIN } from './workflows/prove-dead.ts'

export interface OperateDeps {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  /** Tells the engine that there is something to do. */
  readonly poke: () => void
}

/** What a person can see and do about recoveries. */
export class RecoveryDesk {
  readonly #deps: OperateDeps

  constructor(deps: OperateDeps) {
    this.#deps = deps
  }

  /** The newest first. Steps and decisions are left out: they are in {@link RecoveryDesk.show}. */
  async list(filter: { status?: WorkflowStatus; host?: string; limit: number }): Promise<Recovery[]> {
    const names = Object.values(WORKFLOW_OF)
    const { host, ...rest } = filter
    // The host's name is in the input; with a filter more rows are read than are shown.
    const found = await listWorkflows(this.#deps.store.read, {
      ...rest,
      names,
      limit: host === undefined ? rest.limit : 1000,
    })
    return found
      .filter((workflow) => host === undefined || hostOf(workflow) === host)
      .slice(0, filter.limit)
      .map((workflow) => describeRecovery(workflow, []))
  }

  /** @throws WorkflowNotFoundError */
  async show(id: string): Promise<Recovery> {
    const { read } = this.#deps.store
    const workflow = await this.#find(id)
    const history = await workflowHistory(read, id)
    return describeRecovery(workflow, history, await this.#whomItWaitsFor(workflow))
  }

  /** @throws WorkflowNotFoundError, WorkflowEndedError */
  async cancel(id: string, { reason, by }: { reason: string; by: string }): Promise<Recovery> {
    await this.#find(id)
    const { store, clock, poke } = this.#deps
    await store.write((queries) =>
      cancelWorkflow(queries, { workflowId: id, reason: `${reason} (${by})` }, clock.now()),
    )
    poke()
    return await this.show(id)
  }

  /**
   * Says why there is nothing to approve: the only thing that a recovery waits for today is a proof of death.
   *
   * @throws WorkflowNotFoundError, RecoveryStateError, ApprovalNotEnoughError
   */
  async approve(id: string): Promise<never> {
    const workflow = await this.#find(id)
    if (workflow.status !== 'held') throw new RecoveryStateError(id, workflow.status, 'go on')
    throw new ApprovalNotEnoughError(id, hostOf(workflow))
  }

  /** Lets a held recovery look once more. @throws WorkflowNotFoundError, RecoveryStateError */
  async retry(id: string, { reason, by }: { reason: string; by: string }): Promise<Recovery> {
    const workflow = await this.#find(id)
    if (workflow.status !== 'held') throw new RecoveryStateError(id, workflow.status, 'try again')
    await this.#signal(id, TRY_AGAIN, { reason, by })
    return await this.show(id)
  }

  /**
   * Records a person's word that a host is dead, for every recovery of it that waits for a proof.
   *
   * @throws NothingHeldError
   */
  async assertDead({ host, reason, by }: { host: string; reason: string; by: string }): Promise<Recovery[]> {
    const waiting = [...(await this.#ofHost(host, 'held')), ...(await this.#provingAgain(host))]
    if (waiting.length === 0) throw new NothingHeldError(host)
    for (const { id } of waiting) await this.#signal(id, ASSERTED, { by, reason, at: this.#deps.clock.now() })
    return await Promise.all(waiting.map(({ id }) => this.show(id)))
  }

  async #ofHost(host: string, status: WorkflowStatus): Promise<WorkflowSummary[]> {
    const filter = { status, names: [WORKFLOW_OF.COMPUTE_HOST], limit: 1000 }
    return (await listWorkflows(this.#deps.store.read, filter)).filter((workflow) => hostOf(workflow) === host)
  }

  /** Held recoveries that look again at this very moment. */
  async #provingAgain(host: string): Promise<WorkflowSummary[]> {
    const proving = []
    for (const workflow of await this.#ofHost(host, 'running')) {
      const history = await workflowHistory(this.#deps.store.read, workflow.id)
      if (isProvingAgain(history)) proving.push(workflow)
    }
    return proving
  }

  /** The recovery of the same host that goes first; nobody, for one that runs, is held or still pauses by itself. */
  async #whomItWaitsFor({ id, subject, status, wakeAt }: WorkflowSummary): Promise<WorkflowSummary | undefined> {
    const { store, clock } = this.#deps
    if ((status !== 'pending' && status !== 'waiting') || wakeAt === null || wakeAt > clock.now()) return undefined
    const holder = await findSubjectHolder(store.read, subject)
    return holder?.id === id ? undefined : holder
  }

  async #signal(workflowId: string, name: string, data: Record<string, string | number>): Promise<void> {
    const { store, clock, ids, poke } = this.#deps
    await store.write((queries) => signalWorkflow(queries, { id: ids.ordered(), workflowId, name, data }, clock.now()))
    poke()
  }

  async #find(id: string): Promise<WorkflowSummary> {
    const workflow = await findWorkflow(this.#deps.store.read, id)
    if (workflow === undefined || !Object.values(WORKFLOW_OF).includes(workflow.name))
      throw new WorkflowNotFoundError(id)
    return workflow
  }
}

function hostOf({ input }: WorkflowSummary): string {
  return (input as RecoveryInput).host
}
