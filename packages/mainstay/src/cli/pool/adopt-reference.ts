import { buildCommand } from '@stricli/core'

import { configurationFlags, configurationOf, type ConfigurationFlags } from '../configuration-flags.ts'
import { debugFlag } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { RefusedError } from '../errors.ts'
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
      'A damaged record is refused and stays as it is; the others are adopted, and the command exits 3. May be repeated.',
  },
  parameters: { flags: { ...dryRunFlag, ...configurationFlags, ...debugFlag } },
  async func(flags) {
    const work = await serverPart(this.loadServer, 'adoptReference')
    const adoption = await work({ ...configurationOf(this, flags), dryRun: flags.dryRun })
    this.process.stdout.write(adoptionText(adoption, flags.dryRun))
    if (adoption.refused.length > 0) throw new RefusedError(refusalText(adoption, flags.dryRun))
  },
})

function adoptionText({ machines, refused, obstacles }: ReferenceAdoption, dryRun: boolean): string {
  const fresh = machines.filter(({ known }) => !known)
  const known = machines.length - fresh.length
  const lines = [
    ...fresh.map((machine) => `${dryRun ? 'Would adopt' : 'Adopted'} ${describe(machine)}`),
    ...refused.map(({ name, because }) => `${dryRun ? 'Would refuse' : 'Refused'} ${name}: ${because}`),
    `${dryRun ? 'Would adopt' : 'Adopted'} ${fresh.length} machines${known === 0 ? '' : `; ${known} are adopted already`}` +
      `${refused.length === 0 ? '' : `; ${dryRun ? 'would refuse' : 'refused'} ${refused.length}`}.`,
    ...obstacles.map((obstacle) => `Before that: ${obstacle}`),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

function refusalText({ refused }: ReferenceAdoption, dryRun: boolean): string {
  const some = refused.slice(0, 3).map(({ name }) => name)
  const names = some.join(', ') + (refused.length > some.length ? ', …' : '')
  const records = refused.length === 1 ? 'The record of 1 machine' : `The records of ${refused.length} machines`
  return (
    `${records} (${names}) ${dryRun ? 'would be' : refused.length === 1 ? 'was' : 'were'} refused and left as found. ` +
    'Mend the fields that are named above, and run the command again.'
  )
}

function describe({ name, group, state, owner, worker }: ReferenceAdoption['machines'][number]): string {
  const whose = owner === null ? '' : `, bound to ${owner}`
  return `${name} (group ${group}, ${state}${worker === null ? '' : ` by ${worker}`}${whose})`
}
