import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { textArgument } from '../text-argument.ts'
import { eventView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags {}

export const eventsShow = buildCommand<Flags, [string], CliContext>({
  docs: { brief: 'Show one event' },
  parameters: {
    flags: { ...outputFlags, ...connectionFlags },
    aliases: outputAliases,
    positional: { kind: 'tuple', parameters: [textArgument('EVENT', 'Its id')] },
  },
  async func(flags, id) {
    const client = await connect(this, flags)
    const event = await client.events.show(id, { signal: this.signal })
    this.process.stdout.write(await renderRecord(this, flags, eventView, event))
  },
})
