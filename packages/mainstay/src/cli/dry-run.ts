import type { Call, MainstayClient } from '../client/index.ts'
import { toJson } from '../core/json.ts'
import type { CliContext } from './context.ts'

/** The flag of every command that changes something. */
export interface DryRunFlags {
  readonly dryRun: boolean
}

export const dryRunFlag = {
  dryRun: {
    kind: 'boolean',
    default: false,
    withNegated: false,
    brief: 'Say what would be done, and do nothing',
  },
} as const

/** Says what would be asked of the server, in words and as the call itself. */
export function printPlan(
  context: CliContext,
  client: MainstayClient,
  { what, ...call }: { what: string } & Pick<Call, 'method' | 'api' | 'path' | 'body'>,
): void {
  const body = call.body === undefined ? '' : `${toJson(call.body)}\n`
  context.process.stdout.write(
    `Would ${what}. Nothing was changed.\n${call.method} ${client.transport.url(call)}\n${body}`,
  )
}
