import { buildCommand } from '@stricli/core'

import { configurationFlags, configurationOf, type ConfigurationFlags } from './configuration-flags.ts'
import { debugFlag } from './connection.ts'
import type { CliContext } from './context.ts'
import { serverPart } from './load-server.ts'
import { textFlag } from './text-argument.ts'
import { untilStopped } from './until-stopped.ts'
import { wordsFlag } from './words.ts'

interface Flags extends ConfigurationFlags {
  readonly monitors?: readonly string[]
  readonly endpoint?: string
  readonly spoolDir?: string
  readonly libvirtSocket?: string
  readonly hostname?: string
  readonly debug: boolean
}

export const agent = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: 'Run the monitors of one host',
    fullDescription:
      'Watches this host, its guests and its processes, and reports what fails. Reports that cannot be delivered wait ' +
      'in the spool directory. SIGINT and SIGTERM stop it in good order.',
  },
  parameters: {
    flags: {
      monitors: wordsFlag('MONITOR,...', 'What to watch: instance, host, process, guest'),
      endpoint: textFlag('URL', 'The server that is told; else MAINSTAY_ENDPOINT, else what the configuration says'),
      spoolDir: textFlag('DIRECTORY', 'Where undelivered reports wait'),
      libvirtSocket: textFlag('PATH', "The host's libvirt socket"),
      hostname: textFlag('NAME', 'The name of this host in its segment'),
      ...configurationFlags,
      ...debugFlag,
    },
  },
  async func(flags) {
    const { monitors, spoolDir, libvirtSocket, hostname } = flags
    const endpoint = flags.endpoint ?? this.process.env['MAINSTAY_ENDPOINT']
    const runAgent = await serverPart(this.loadServer, 'runAgent')
    const running = await runAgent({
      ...configurationOf(this, flags),
      clock: this.clock,
      monitors,
      endpoint,
      spoolDir,
      libvirtSocket,
      hostname,
    })
    await untilStopped(this, running)
  },
})
