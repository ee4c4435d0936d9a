import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { computeHostView } from './view.ts'

interface Flags extends ConnectionFlags, ListOutputFlags {}

export const computeHostList = buildCommand<Flags, [], CliContext>({
  docs: { brief: 'List the hosts that the platform has' },
  parameters: { flags: { ...listOutputFlags, ...connectionFlags }, aliases: outputAliases },
  async func(flags) {
    const client = await connect(this, flags)
    const hosts = await client.computeHosts.list({ signal: this.signal })
    this.process.stdout.write(await renderList(this, flags, computeHostView, hosts))
  },
})
