import type { Recovery, RecoveryAction, RecoveryStatus } from '../../client/index.ts'
import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { RefusedError } from '../errors.ts'
import { followFlags, waitFor, type FollowFlags } from '../follow.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { ProgressLine } from '../progress.ts'
import { reasonFlag } from '../reason.ts'
import { textArgument } from '../text-argument.ts'
import { renderRecovery } from './print.ts'
import { isSettled, refuseUnlessCompleted } from './settled.ts'

export interface ActFlags extends ConnectionFlags, OutputFlags, DryRunFlags, Omit<FollowFlags, 'watch'> {
  readonly reason: string
  readonly wait: boolean
}

const { watch: _watch, ...waitFlags } = followFlags

/** What `approve`, `cancel` and `retry` take. */
export const actParameters = {
  flags: {
    reason: reasonFlag,
    wait: { kind: 'boolean', default: false, withNegated: false, brief: 'Wait until the recovery has ended' },
    ...waitFlags,
    ...dryRunFlag,
    ...outputFlags,
    ...connectionFlags,
  },
  aliases: outputAliases,
  positional: { kind: 'tuple', parameters: [textArgument('RECOVERY', 'Its id')] },
} as const

/** In which states a run can be told what; the server has the last word. */
const POSSIBLE: Readonly<Record<RecoveryAction, readonly RecoveryStatus[]>> = {
  approve: ['held'],
  cancel: ['pending', 'running', 'waiting', 'held'],
  retry: ['held'],
}

/** Tells a run what to do, and waits for its end if that was asked for. */
export async function act(context: CliContext, flags: ActFlags, id: string, action: RecoveryAction): Promise<void> {
  const client = await connect(context, flags)
  const { signal } = context
  const body = { reason: flags.reason }
  if (flags.dryRun) {
    const { recoveryActionPath } = await import('../../client/index.ts')
    const { type, subject, status } = await client.recoveries.show(id, { signal })
    if (!POSSIBLE[action].includes(status)) {
      throw new RefusedError(`The recovery of ${type} ${subject} is ${status}: there is nothing to ${action}.`)
    }
    const what = `${action} the recovery of ${type} ${subject}, which is ${status}`
    printPlan(context, client, { what, method: 'POST', api: 'root', path: recoveryActionPath(id, action), body })
    return
  }
  const told = await client.recoveries.act(id, action, body, { signal })
  const last = flags.wait
    ? await ended(context, flags, told, async () => await client.recoveries.show(id, { signal }))
    : told
  context.process.stdout.write(await renderRecovery(context, flags, last))
  if (flags.wait && action !== 'cancel') refuseUnlessCompleted(last)
}

async function ended(
  context: CliContext,
  flags: ActFlags,
  first: Recovery,
  fetch: () => Promise<Recovery>,
): Promise<Recovery> {
  using progress = new ProgressLine(context)
  return await waitFor(context, flags, {
    what: `The recovery of ${first.type} ${first.subject}`,
    first,
    fetch,
    done: isSettled,
    seen: ({ subject, status }) => progress.show(`recovery of ${subject}: ${status}`),
  })
}
