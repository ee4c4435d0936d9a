import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { reasonFlag } from '../reason.ts'

/** The flags of every command with which an operator changes something. */
export interface OperateFlags extends ConnectionFlags, DryRunFlags {
  readonly reason: string
}

export const operateFlags = { reason: reasonFlag, ...dryRunFlag, ...connectionFlags } as const

export interface Operation {
  /** For `--dry-run`: "Would …". */
  readonly what: string
  readonly path: string
  readonly method?: 'POST' | 'PUT' | 'DELETE'
  readonly body?: object
  /** What is printed when it is done. */
  readonly done: string
}

/** Carries an operation out, or says what it would be. */
export async function operate(context: CliContext, flags: OperateFlags, operation: Operation): Promise<void> {
  const client = await connect(context, flags)
  const { what, path, method = 'POST', done } = operation
  const body = { ...operation.body, reason: flags.reason }
  if (flags.dryRun) {
    printPlan(context, client, { what, method, api: 'root', path, body })
    return
  }
  await client.pools.operate(path, body, { method, signal: context.signal })
  context.process.stdout.write(`${done}\n`)
}
