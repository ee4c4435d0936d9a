import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { parseCount } from '../limit.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { textArgument } from '../text-argument.ts'
import { deadLetterView } from './view.ts'

interface ListFlags extends ConnectionFlags, ListOutputFlags {
  readonly limit: number
}

export const webhookDeadLetters = buildCommand<ListFlags, [string], CliContext>({
  docs: { brief: 'List events that the receiver of a webhook never took, the oldest first' },
  parameters: {
    flags: {
      limit: { kind: 'parsed', parse: parseCount, placeholder: 'N', default: '100', brief: 'Print at most this many' },
      ...listOutputFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
    positional: { kind: 'tuple', parameters: [textArgument('WEBHOOK', 'Its id')] },
  },
  async func(flags, id) {
    const client = await connect(this, flags)
    const { limit } = flags
    const letters = limit === 0 ? [] : await client.webhooks.deadLetters(id, { limit, signal: this.signal })
    this.process.stdout.write(await renderList(this, flags, deadLetterView, letters))
  },
})

interface RedeliverFlags extends ConnectionFlags, DryRunFlags {}

export const webhookRedeliver = buildCommand<RedeliverFlags, [string, string?], CliContext>({
  docs: { brief: 'Send dead letters of a webhook once more, all or one of them' },
  parameters: {
    flags: { ...dryRunFlag, ...connectionFlags },
    positional: {
      kind: 'tuple',
      parameters: [
        textArgument('WEBHOOK', 'Its id'),
        { ...textArgument('LETTER', 'The id of a dead letter; all of them without it'), optional: true },
      ],
    },
  },
  async func(flags, id, letter) {
    const client = await connect(this, flags)
    const { signal } = this
    if (flags.dryRun) {
      const { redeliverPath } = await import('../../client/index.ts')
      const { url, dead_letters: letters } = await client.webhooks.show(id, { signal })
      const what = `send ${letter === undefined ? `${letters} dead letters` : `dead letter ${letter}`} to ${url}`
      printPlan(this, client, { what, method: 'POST', api: 'root', path: redeliverPath(id, letter) })
      return
    }
    const delivered = await client.webhooks.redeliver(id, letter, { signal })
    this.process.stdout.write(`Delivered: ${delivered}\n`)
  },
})
