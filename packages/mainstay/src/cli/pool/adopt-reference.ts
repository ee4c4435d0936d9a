import { buildCommand } from '@stricli/core'

import { configurationFlags, configurationOf, type ConfigurationFlags } from '../configuration-flags.ts'
import { debugFlag } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, type DryRunFlags } from '../dry-run.ts'
import { serverPart, type ReferenceAdoption } from '../load-server.ts'

interface Flags extends ConfigurationFlags, DryRunFlags {
  readonly debug: boolean
}

export const poolAdoptReference = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: 'Take over the records that the VM manager of Copr left on Redis',
    fullDescription:
      'Works on the Redis that the configuration names, while the old master is stopped. Machines that are in use stay in use. ' +
      'May be repeated.',
  },
  parameters: { flags: { ...dryRunFlag, ...configurationFlags, ...debugFlag } },
  async func(flags) {
    const work = await serverPart(this.loadServer, 'adoptReference')
    const adoption = await work({ ...configurationOf(this, flags), dryRun: flags.dryRun })
    this.process.stdout.write(adoptionText(adoption, flags.dryRun))
  },
})

function adoptionText({ machines, left, obstacles }: ReferenceAdoption, dryRun: boolean): string {
  const fresh = machines.filter(({ known }) => !known)
  const known = machines.length - fresh.length
  const lines = [
    ...fresh.map((machine) => `${dryRun ? 'Would adopt' : 'Adopted'} ${describe(machine)}`),
    ...left.map(({ name, because }) => `${dryRun ? 'Would leave' : 'Left'} ${name} as it is: ${because}`),
    `${dryRun ? 'Would adopt' : 'Adopted'} ${fresh.length} machines${known === 0 ? '' : `; ${known} are adopted already`}.`,
    ...obstacles.map((obstacle) => `Before that: ${obstacle}`),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

function describe({ name, group, state, owner, worker }: ReferenceAdoption['machines'][number]): string {
  const whose = owner === null ? '' : `, bound to ${owner}`
  return `${name} (group ${group}, ${state}${worker === null ? '' : ` by ${worker}`}${whose})`
}
