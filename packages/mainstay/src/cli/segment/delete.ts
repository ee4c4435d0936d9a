import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { eachOf } from '../each-of.ts'
import { segmentUuid } from '../resolve.ts'
import { textArgument } from '../text-argument.ts'

interface Flags extends ConnectionFlags, DryRunFlags {}

export const segmentDelete = buildCommand<Flags, string[], CliContext>({
  docs: { brief: 'Delete failover segments with all their hosts' },
  parameters: {
    flags: { ...dryRunFlag, ...connectionFlags },
    positional: { kind: 'array', parameter: textArgument('SEGMENT', 'Name or uuid'), minimum: 1 },
  },
  async func(flags, ...segments) {
    const client = await connect(this, flags)
    await eachOf(this, flags, segments, async (nameOrUuid) => {
      const uuid = await segmentUuid(client, nameOrUuid, this.signal)
      if (flags.dryRun) {
        const { segmentPath } = await import('../../client/index.ts')
        const hosts = await Array.fromAsync(client.hosts.list(uuid, { signal: this.signal }))
        const names = hosts.length === 0 ? 'no hosts' : `its hosts ${hosts.map(({ name }) => name).join(', ')}`
        const call = { method: 'DELETE', api: 'v1', path: segmentPath(uuid) } as const
        printPlan(this, client, { what: `delete the segment ${nameOrUuid} and ${names}`, ...call })
        return
      }
      await client.segments.delete(uuid, { signal: this.signal })
      this.process.stdout.write(`Segment deleted: ${nameOrUuid}\n`)
    })
  },
})
