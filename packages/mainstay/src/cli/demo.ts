import { buildCommand } from '@stricli/core'

import { debugFlag } from './connection.ts'
import type { CliContext } from './context.ts'
import { parseCount } from './limit.ts'
import { serverPart } from './load-server.ts'

interface Flags {
  readonly hosts: number
  readonly guests: number
  readonly seed?: number
  readonly debug: boolean
}

const countFlag = { kind: 'parsed', parse: parseCount, placeholder: 'N' } as const

export const demo = buildCommand<Flags, [], CliContext>({
  docs: { brief: 'Show a host of a simulated fleet die, and its recovery, in under a minute' },
  parameters: {
    flags: {
      hosts: { ...countFlag, default: '12', brief: 'Hosts of the fleet' },
      guests: { ...countFlag, default: '120', brief: 'Guests of the fleet' },
      seed: { ...countFlag, optional: true, brief: 'The same number gives the same fleet' },
      ...debugFlag,
    },
  },
  async func({ hosts, guests, seed }) {
    const { stdout } = this.process
    const runDemo = await serverPart(this.loadServer, 'runDemo')
    const print = (text: string): void => stdout.write(text)
    await runDemo({ hosts, guests, seed, terminal: stdout.isTTY === true, print, signal: this.signal })
  },
})
