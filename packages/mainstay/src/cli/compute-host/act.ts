import { buildCommand, type Command } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { reasonFlag } from '../reason.ts'
import { textArgument } from '../text-argument.ts'
import { computeHostView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags, DryRunFlags {
  readonly reason: string
}

/** `mainstay compute-host enable`, and `disable`. */
function actCommand(action: 'enable' | 'disable', brief: string): Command<CliContext> {
  return buildCommand<Flags, [string], CliContext>({
    docs: { brief },
    parameters: {
      flags: { reason: reasonFlag, ...dryRunFlag, ...outputFlags, ...connectionFlags },
      aliases: outputAliases,
      positional: { kind: 'tuple', parameters: [textArgument('HOST', 'Its name, as the platform has it')] },
    },
    async func(flags, name) {
      const client = await connect(this, flags)
      const body = { reason: flags.reason }
      if (flags.dryRun) {
        const { computeHostPath } = await import('../../client/index.ts')
        const path = computeHostPath(name, action)
        printPlan(this, client, { what: `${action} the host ${name}`, method: 'POST', api: 'root', path, body })
        return
      }
      const host = await client.computeHosts.act(name, action, body, { signal: this.signal })
      this.process.stdout.write(await renderRecord(this, flags, computeHostView, host))
    },
  })
}

export const computeHostEnable = actCommand('enable', 'Let new guests be placed on a host again, after its repair')
export const computeHostDisable = actCommand('disable', 'Keep new guests away from a host')
