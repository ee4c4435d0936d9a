import { buildCommand } from '@stricli/core'

import { configurationFlags, configurationOf, type ConfigurationFlags } from './configuration-flags.ts'
import { debugFlag } from './connection.ts'
import type { CliContext } from './context.ts'
import { parseCount } from './limit.ts'
import { serverPart } from './load-server.ts'
import { oneOf } from './one-of.ts'
import { textFlag } from './text-argument.ts'
import { untilStopped } from './until-stopped.ts'
import { wordsFlag } from './words.ts'

interface Flags extends ConfigurationFlags {
  readonly roles?: readonly string[]
  readonly listen?: string
  readonly compute?: string
  readonly simHosts?: number
  readonly simGuests?: number
  readonly simSeed?: number
  readonly insecureNoAuth: boolean
  readonly debug: boolean
}

const countFlag = { kind: 'parsed', parse: parseCount, placeholder: 'N', optional: true } as const

export const serve = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: 'Run the control plane',
    fullDescription:
      'Serves everything on one address with nothing else installed: an embedded database and a simulated fleet unless ' +
      'the configuration says otherwise. SIGINT and SIGTERM stop it in good order; a second one stops it at once.',
  },
  parameters: {
    flags: {
      roles: wordsFlag('ROLE,...', 'What this process does: api, engine, pool, events, dashboard; all without it'),
      listen: textFlag('HOST:PORT', 'Where to listen; 127.0.0.1:15868 without it'),
      ...configurationFlags,
      compute: {
        ...oneOf(['simulated', 'libvirt', 'openstack', 'command']),
        kind: 'parsed',
        optional: true,
        placeholder: 'DRIVER',
        brief: 'What runs the guests: simulated, libvirt, openstack or command',
      },
      simHosts: { ...countFlag, brief: 'Hosts of the simulated fleet' },
      simGuests: { ...countFlag, brief: 'Guests of the simulated fleet' },
      simSeed: { ...countFlag, brief: 'The same number gives the same simulated fleet' },
      insecureNoAuth: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'Serve other addresses than loopback without asking who calls',
      },
      ...debugFlag,
    },
  },
  async func(flags) {
    const { roles, listen, compute, simHosts, simGuests, simSeed, insecureNoAuth } = flags
    const work = await serverPart(this.loadServer, 'serve')
    const running = await work({
      ...configurationOf(this, flags),
      roles,
      listen,
      compute,
      simHosts,
      simGuests,
      simSeed,
      insecureNoAuth,
    })
    await untilStopped(this, running)
  },
})
