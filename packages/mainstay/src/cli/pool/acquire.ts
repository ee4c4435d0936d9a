import { buildCommand } from '@stricli/core'

import type { GrantedLease, MainstayClient, PoolLease, PoolWish } from '../../client/index.ts'
import { errorMessage } from '../../core/errors.ts'
import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { parseDuration } from '../duration.ts'
import { parseCount } from '../limit.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderList, renderRecord } from '../output/print.ts'
import { ProgressLine } from '../progress.ts'
import { textFlag } from '../text-argument.ts'
import { wordsFlag } from '../words.ts'
import { leaseView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags, DryRunFlags {
  readonly group?: readonly string[]
  readonly label?: readonly string[]
  readonly owner?: string
  readonly sandbox?: string
  readonly worker: string
  readonly task?: string
  readonly arch?: string
  readonly priority?: number
  readonly count?: number
  readonly wait?: number
  readonly lease?: number
  readonly preemptible: boolean
  readonly reattach: boolean
  readonly keep: boolean
}

const yes = (brief: string) => ({ kind: 'boolean', default: false, withNegated: false, brief }) as const
const duration = (brief: string) =>
  ({ kind: 'parsed', parse: parseDuration, placeholder: 'DURATION', optional: true, brief }) as const
const number = (brief: string) =>
  ({ kind: 'parsed', parse: parseCount, placeholder: 'N', optional: true, brief }) as const

export const poolAcquire = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: 'Take a machine, and print its address and the token that gives it back',
    fullDescription:
      'The lease ends unless "pool heartbeat" prolongs it. With --keep this command prolongs it itself until it is ' +
      'interrupted, or its terminal goes away, and then gives the machine back. Of several machines, the loss of one ends ' +
      'it: it gives the others back. Exits 3 when there is no machine (in time), there never can be one, or one was lost.',
  },
  parameters: {
    flags: {
      group: wordsFlag('GROUP,...', 'Groups that will do, in the order of preference; any without it'),
      label: wordsFlag('LABEL,...', 'Labels that the group must carry, all of them'),
      owner: textFlag('OWNER', 'For whom; only an admin may name somebody else'),
      sandbox: textFlag('SANDBOX', 'Machines that were used in it are taken first'),
      worker: {
        kind: 'parsed',
        parse: String,
        placeholder: 'NAME',
        default: 'mainstay pool',
        brief: 'Who uses it, for people',
      },
      task: textFlag('ID', 'What it is used for; finds the machine again with --reattach'),
      arch: textFlag('ARCH', 'For this architecture'),
      priority: number('0 to 1000, higher first'),
      count: number('How many machines, all or none; 1 without it'),
      wait: duration('How long to wait when none is free; not at all without it'),
      lease: duration("How long the lease lasts; the group's own time without it"),
      preemptible: yes('May be taken back for a more urgent request'),
      reattach: yes('Keeps it for another worker with the same task when this one is lost'),
      keep: yes('Prolong the lease until interrupted, then give the machine back'),
      ...dryRunFlag,
      ...outputFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
  },
  async func(flags) {
    const client = await connect(this, flags)
    const wish = wishOf(flags)
    if (flags.dryRun) {
      const { POOL_PATHS } = await import('../../client/index.ts')
      printPlan(this, client, {
        what: 'take a machine',
        method: 'POST',
        api: 'root',
        path: POOL_PATHS.leases,
        body: wish,
      })
      return
    }
    const hungUp = new AbortController()
    using _hangUps = this.onHangUp?.(() => hungUp.abort(new Error('The terminal went away.')))
    const signal = AbortSignal.any([this.signal, hungUp.signal])
    const granted = await grant(this, client, wish, signal)
    await using held = new AsyncDisposableStack()
    const leases = flags.keep ? granted.map((lease) => held.use(client.pools.lease(lease))) : []
    const [only] = granted
    const text =
      granted.length === 1 && only !== undefined
        ? await renderRecord(this, flags, leaseView, only)
        : await renderList(this, flags, leaseView, granted)
    this.process.stdout.write(text)
    if (flags.keep) await keep(this, leases, signal)
  },
})

async function grant(
  context: CliContext,
  client: MainstayClient,
  wish: PoolWish,
  signal: AbortSignal,
): Promise<readonly GrantedLease[]> {
  using progress = new ProgressLine(context)
  if (wish.waitMs !== undefined) progress.show('waiting for a machine')
  return await client.pools.grant(wish, { signal })
}

/**
 * Until the user has enough, or a machine is lost: then those that are left go back, all at once.
 *
 * @throws LeaseLostError, LeaseReleaseUnconfirmedError: the first; others are printed
 */
async function keep({ process }: CliContext, leases: readonly PoolLease[], signal: AbortSignal): Promise<void> {
  const over = Promise.withResolvers<void>()
  const end = (): void => over.resolve()
  const any = AbortSignal.any([signal, ...leases.map((lease) => lease.signal)])
  any.addEventListener('abort', end, { once: true })
  if (any.aborted) end()
  await over.promise
  const ends = await Promise.allSettled(leases.map(giveBack))
  const failed = ends.filter((each) => each.status === 'rejected').map(({ reason }): unknown => reason)
  for (const each of ends) {
    if (each.status === 'fulfilled') process.stderr.write(`mainstay: gave ${each.value} back\n`)
  }
  const [first, ...others] = failed
  for (const error of others) process.stderr.write(`mainstay: ${errorMessage(error)}\n`)
  if (first !== undefined) throw first
}

/** @returns its name @throws LeaseLostError also when it was lost before */
async function giveBack(lease: PoolLease): Promise<string> {
  await lease[Symbol.asyncDispose]()
  lease.signal.throwIfAborted()
  return lease.name
}

function wishOf(flags: Flags): PoolWish {
  const { group, label, owner, sandbox, worker, task, arch, priority, count, wait, lease, preemptible, reattach } =
    flags
  return {
    worker,
    groups: group,
    labels: label,
    owner,
    sandbox,
    taskId: task,
    arch,
    priority,
    count,
    leaseMs: lease,
    waitMs: wait,
    ...(preemptible ? { preemptible } : {}),
    ...(reattach ? { reattach } : {}),
  }
}
