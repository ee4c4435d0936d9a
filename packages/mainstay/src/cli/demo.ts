import { buildCommand } from '@stricli/core'

import { debugFlag } from './connection.ts'
import type { CliContext } from './context.ts'
import { parseDuration } from './duration.ts'
import { OutcomeError } from './errors.ts'
import { parseCount } from './limit.ts'
import { serverPart } from './load-server.ts'

interface Flags {
  readonly hosts: number
  readonly guests: number
  readonly seed?: number
  readonly timeout: number
  readonly debug: boolean
}

const countFlag = { kind: 'parsed', parse: parseCount, placeholder: 'N' } as const

export const demo = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: 'Show a host of a simulated fleet die, and its recovery, in under a minute',
    fullDescription: 'Exits 1 when the recovery fails, as that of a fleet does whose other hosts have no room.',
  },
  parameters: {
    flags: {
      hosts: { ...countFlag, default: '12', brief: 'Hosts of the fleet' },
      guests: { ...countFlag, default: '120', brief: 'Guests of the fleet' },
      seed: { ...countFlag, optional: true, brief: 'The same number gives the same fleet' },
      timeout: {
        kind: 'parsed',
        parse: parseDuration,
        placeholder: 'DURATION',
        default: '45s',
        brief: 'How long the recovery may take: 30s, 2m',
      },
      ...debugFlag,
    },
  },
  async func({ hosts, guests, seed, timeout: timeoutMs }) {
    const { stdout } = this.process
    const runDemo = await serverPart(this.loadServer, 'runDemo')
    const print = (text: string): void => stdout.write(text)
    const terminal = stdout.isTTY === true
    const end = await runDemo({ hosts, guests, seed, timeoutMs, terminal, print, signal: this.signal })
    if (!end.recovered) throw new OutcomeError(`The recovery of the demonstration failed: ${end.text}`)
  },
})
