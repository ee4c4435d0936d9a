import { buildCommand } from '@stricli/core'

import { configurationFlags, configurationOf, type ConfigurationFlags } from './configuration-flags.ts'
import { debugFlag } from './connection.ts'
import type { CliContext } from './context.ts'
import { OutcomeError } from './errors.ts'
import { serverPart, type CheckResult } from './load-server.ts'
import { FORMATS, outputAliases, outputFlags, type Format, type OutputFlags } from './output/flags.ts'
import { renderList } from './output/print.ts'
import type { View } from './output/view.ts'
import { textFlag } from './text-argument.ts'

interface Flags extends ConfigurationFlags, Omit<OutputFlags, 'format'> {
  readonly format?: Format
  readonly compute?: string
  readonly debug: boolean
}

const view: View<CheckResult> = {
  columns: {
    name: (result) => result.name,
    ok: (result) => result.ok,
    text: (result) => result.text,
    remedy: (result) => result.remedy ?? null,
  },
  listed: ['name', 'ok', 'text', 'remedy'],
  shown: ['name', 'ok', 'text', 'remedy'],
}

export const check = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: 'Say whether a configuration and its neighbours are usable',
    fullDescription:
      'One line for each thing that was looked at, with a remedy when it is not usable; exits 1 when one is not.',
  },
  parameters: {
    flags: {
      compute: textFlag('DRIVER', 'Check as if this driver were configured'),
      ...configurationFlags,
      ...outputFlags,
      format: {
        kind: 'enum',
        values: FORMATS,
        optional: true,
        placeholder: 'FORMAT',
        brief: 'How to print; lines as they come without it',
      },
      ...debugFlag,
    },
    aliases: outputAliases,
  },
  async func(flags) {
    const work = await serverPart(this.loadServer, 'check')
    const results: CheckResult[] = []
    for await (const result of work({ ...configurationOf(this, flags), compute: flags.compute })) {
      results.push(result)
      if (flags.format === undefined) this.process.stdout.write(line(result))
    }
    const { format } = flags
    if (format !== undefined) this.process.stdout.write(await renderList(this, { ...flags, format }, view, results))
    const unusable = results.filter(({ ok }) => !ok).map(({ name }) => name)
    if (unusable.length > 0) throw new OutcomeError(`Not usable: ${unusable.join(', ')}.`)
  },
})

function line({ name, ok, text, remedy }: CheckResult): string {
  const first = `${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(12)}  ${text}\n`
  return remedy === undefined ? first : `${first}        ${' '.repeat(12)}  ${remedy}\n`
}
