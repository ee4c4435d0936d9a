import { buildCommand } from '@stricli/core'

import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { eachOf } from '../each-of.ts'
import { UsageError } from '../errors.ts'
import { hostUuid, segmentUuid } from '../resolve.ts'
import { textArgument } from '../text-argument.ts'

interface Flags extends ConnectionFlags, DryRunFlags {}

export const hostDelete = buildCommand<Flags, string[], CliContext>({
  docs: {
    brief: 'Remove hosts from a failover segment',
    customUsage: ['[flags] SEGMENT HOST...'],
  },
  parameters: {
    flags: { ...dryRunFlag, ...connectionFlags },
    positional: {
      kind: 'array',
      parameter: textArgument('SEGMENT HOST', 'The segment, then its hosts, by name or uuid'),
      minimum: 2,
    },
  },
  async func(flags, segmentName, ...hosts) {
    if (segmentName === undefined) throw new UsageError('Name the segment, then the hosts.')
    const client = await connect(this, flags)
    const segment = await segmentUuid(client, segmentName, this.signal)
    await eachOf(this, flags, hosts, async (nameOrUuid) => {
      const uuid = await hostUuid(client, segment, nameOrUuid, this.signal)
      if (flags.dryRun) {
        const { hostPath } = await import('../../client/index.ts')
        const call = { method: 'DELETE', api: 'v1', path: hostPath(segment, uuid) } as const
        printPlan(this, client, { what: `remove the host ${nameOrUuid} from the segment ${segmentName}`, ...call })
        return
      }
      await client.hosts.delete(segment, uuid, { signal: this.signal })
      this.process.stdout.write(`Host deleted: ${nameOrUuid}\n`)
    })
  },
})
