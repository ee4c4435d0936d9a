import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { eachOf } from '../each-of.ts'
import { textArgument } from '../text-argument.ts'

interface Flags extends ConnectionFlags, DryRunFlags {}

export const webhookDelete = buildCommand<Flags, string[], CliContext>({
  docs: { brief: 'Delete webhooks with their dead letters' },
  parameters: {
    flags: { ...dryRunFlag, ...connectionFlags },
    positional: { kind: 'array', parameter: textArgument('WEBHOOK', 'Its id'), minimum: 1 },
  },
  async func(flags, ...ids) {
    const client = await connect(this, flags)
    await eachOf(this, flags, ids, async (id) => {
      if (flags.dryRun) {
        const { webhookPath } = await import('../../client/index.ts')
        const { url, dead_letters: letters } = await client.webhooks.show(id, { signal: this.signal })
        const call = { method: 'DELETE', api: 'root', path: webhookPath(id) } as const
        printPlan(this, client, { what: `delete the webhook to ${url} and its ${letters} dead letters`, ...call })
        return
      }
      await client.webhooks.delete(id, { signal: this.signal })
      this.process.stdout.write(`Webhook deleted: ${id}\n`)
    })
  },
})
