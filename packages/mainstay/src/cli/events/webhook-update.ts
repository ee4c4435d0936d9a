import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { UsageError } from '../errors.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { textArgument, textFlag } from '../text-argument.ts'
import { truthFlag } from '../truth.ts'
import { filterFlags, filtersOf, type FilterFlags } from './filter-flags.ts'
import { newSecretView, webhookView } from './view.ts'
import { webhookFlags, type WebhookFlags } from './webhook-flags.ts'

interface Flags extends ConnectionFlags, OutputFlags, DryRunFlags, FilterFlags, WebhookFlags {
  readonly url?: string
  readonly active?: boolean
  readonly rotateSecret: boolean
  readonly allEvents: boolean
}

export const webhookUpdate = buildCommand<Flags, [string], CliContext>({
  docs: {
    brief: 'Change a webhook',
    fullDescription:
      'The flags that choose events replace all that chose them before. After --secret and --rotate-secret deliveries are ' +
      'signed with both secrets for a day, so that the receiver can change at any time.',
  },
  parameters: {
    flags: {
      url: textFlag('URL', 'Where events are posted'),
      ...webhookFlags,
      active: truthFlag('Whether events are delivered'),
      rotateSecret: { kind: 'boolean', default: false, withNegated: false, brief: 'Make a new secret, and print it' },
      allEvents: { kind: 'boolean', default: false, withNegated: false, brief: 'Deliver every event' },
      ...filterFlags,
      ...dryRunFlag,
      ...outputFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
    positional: { kind: 'tuple', parameters: [textArgument('WEBHOOK', 'Its id')] },
  },
  async func(flags, id) {
    const { url, description, deliver: format, secret, active } = flags
    const chosen = filtersOf(flags)
    const filters = flags.allEvents || Object.values(chosen).some((each) => each !== undefined) ? chosen : undefined
    const rotate = flags.rotateSecret ? ({ rotate_secret: true } as const) : {}
    const body = { url, description, format, secret, active, filters, ...rotate }
    if (Object.values(body).every((each) => each === undefined)) {
      throw new UsageError('Say what is to be changed; "mainstay events webhooks update -h" shows what can be.')
    }
    const client = await connect(this, flags)
    if (flags.dryRun) {
      const { webhookPath } = await import('../../client/index.ts')
      const shown = secret === undefined ? body : { ...body, secret: '***' }
      const call = { method: 'PUT', api: 'root', path: webhookPath(id), body: shown } as const
      printPlan(this, client, { what: `change the webhook ${id}`, ...call })
      return
    }
    const changed = await client.webhooks.update(id, body, { signal: this.signal })
    const view = changed.secret === undefined ? webhookView : newSecretView
    this.process.stdout.write(await renderRecord(this, flags, view, changed))
  },
})
