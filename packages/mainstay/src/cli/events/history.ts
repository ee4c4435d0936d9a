import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { parseCount } from '../limit.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { textFlag } from '../text-argument.ts'
import { filterFlags, filtersOf, type FilterFlags } from './filter-flags.ts'
import { eventView } from './view.ts'

interface Flags extends ConnectionFlags, ListOutputFlags, FilterFlags {
  readonly since?: string
  readonly until?: string
  readonly order: 'asc' | 'desc'
  readonly limit: number
}

export const eventsHistory = buildCommand<Flags, [], CliContext>({
  docs: { brief: 'List events of the past, the newest first' },
  parameters: {
    flags: {
      since: textFlag('PLACE', 'Only events after this: a cursor, or a time such as 2026-01-31T12:00:00Z'),
      until: textFlag('PLACE', 'Only events up to this: a cursor, or a time'),
      order: { kind: 'enum', values: ['asc', 'desc'], default: 'desc', brief: 'asc for the oldest first' },
      limit: { kind: 'parsed', parse: parseCount, placeholder: 'N', default: '100', brief: 'Print at most this many' },
      ...filterFlags,
      ...listOutputFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
  },
  async func(flags) {
    const client = await connect(this, flags)
    const { since, until, order, limit } = flags
    const options = { since, until, order, limit, filters: filtersOf(flags), signal: this.signal }
    const events = await Array.fromAsync(client.events.history(options))
    this.process.stdout.write(await renderList(this, flags, eventView, events))
  },
})
