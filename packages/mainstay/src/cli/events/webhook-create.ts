import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { textArgument, textFlag } from '../text-argument.ts'
import { filterFlags, filtersOf, type FilterFlags } from './filter-flags.ts'
import { newSecretView } from './view.ts'
import { webhookFlags, type WebhookFlags } from './webhook-flags.ts'

interface Flags extends ConnectionFlags, OutputFlags, DryRunFlags, FilterFlags, WebhookFlags {
  readonly since?: string
}

export const webhookCreate = buildCommand<Flags, [string], CliContext>({
  docs: { brief: 'Make a webhook, and print the secret that its deliveries are signed with' },
  parameters: {
    flags: {
      ...webhookFlags,
      since: textFlag('PLACE', 'Begin after this: latest (now), earliest, a cursor, or a time; latest without it'),
      ...filterFlags,
      ...dryRunFlag,
      ...outputFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
    positional: { kind: 'tuple', parameters: [textArgument('URL', 'Where events are posted')] },
  },
  async func(flags, url) {
    const client = await connect(this, flags)
    const { description, deliver: format, secret, since } = flags
    const body = { url, description, format, secret, since, filters: filtersOf(flags) }
    if (flags.dryRun) {
      const { WEBHOOKS_PATH: path } = await import('../../client/index.ts')
      const shown = secret === undefined ? body : { ...body, secret: '***' }
      printPlan(this, client, { what: `post events to ${url}`, method: 'POST', api: 'root', path, body: shown })
      return
    }
    const made = await client.webhooks.create(body, { signal: this.signal })
    this.process.stdout.write(await renderRecord(this, flags, newSecretView, made))
  },
})
