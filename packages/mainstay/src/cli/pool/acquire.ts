import { buildCommand } from '@stricli/core'

import type { MainstayClient, PoolLease, PoolWish } from '../../client/index.ts'
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
      'interrupted, and then gives the machine back. Exits 3 when there is no machine (in time).',
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
    const granted = await grant(this, client, wish)
    const [only] = granted
    const text =
      granted.length === 1 && only !== undefined
        ? await renderRecord(this, flags, leaseView, only)
        : await renderList(this, flags, leaseView, granted)
    this.process.stdout.write(text)
    if (flags.keep)
      await keep(
        this,
        granted.map((lease) => client.pools.lease(lease)),
      )
  },
})

async function grant(context: CliContext, client: MainstayClient, wish: PoolWish) {
  using progress = new ProgressLine(context)
  if (wish.waitMs !== undefined) progress.show('waiting for a machine')
  return await client.pools.grant(wish, { signal: context.signal })
}

/** Until the user has enough, or a machine is lost. @throws LeaseLostError */
async function keep({ signal, process }: CliContext, leases: readonly PoolLease[]): Promise<void> {
  const over = Promise.withResolvers<void>()
  const end = (): void => over.resolve()
  const any = AbortSignal.any([signal, ...leases.map((lease) => lease.signal)])
  any.addEventListener('abort', end, { once: true })
  if (any.aborted) end()
  await over.promise
  for (const lease of leases) {
    await lease[Symbol.asyncDispose]()
    lease.signal.throwIfAborted()
    process.stderr.write(`mainstay: gave ${lease.name} back\n`)
  }
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
