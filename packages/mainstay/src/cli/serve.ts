import { buildCommand } from '@stricli/core'

import { COMPUTE_DRIVERS, SERVER_ROLES } from './choices.ts'
import { configurationFlags, configurationOf, type ConfigurationFlags } from './configuration-flags.ts'
import { debugFlag } from './connection.ts'
import type { CliContext } from './context.ts'
import { parseCount } from './limit.ts'
import { serverPart } from './load-server.ts'
import { oneOf } from './one-of.ts'
import { textFlag } from './text-argument.ts'
import { untilStopped } from './until-stopped.ts'
import { choicesFlag } from './words.ts'

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
      'the configuration says otherwise. SIGTERM stops it in good order: running requests may end. SIGINT stops it at once, as a second ' +
      'signal does; the next start carries on what was running.',
  },
  parameters: {
    flags: {
      roles: choicesFlag(
        'ROLE,...',
        `What this process does: ${SERVER_ROLES.join(', ')}; all without it`,
        SERVER_ROLES,
      ),
      listen: textFlag('HOST:PORT', 'Where to listen; 127.0.0.1:15868 without it'),
      ...configurationFlags,
      compute: {
        ...oneOf(COMPUTE_DRIVERS),
        kind: 'parsed',
        optional: true,
        placeholder: 'DRIVER',
        brief: `What runs the guests: ${COMPUTE_DRIVERS.join(' or ')}`,
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
    using _interrupt = this.interruptEndsAtOnce?.()
    const { roles, listen, compute, simHosts, simGuests, simSeed, insecureNoAuth } = flags
    const work = await serverPart(this.loadServer, 'serve')
    const running = await work({
      ...configurationOf(this, flags),
      clock: this.clock,
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
