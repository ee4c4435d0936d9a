import { buildCommand } from '@stricli/core'

import { isJsonObject, toJson, type Json, type JsonObject } from '../core/json.ts'
import { connect, connectionFlags, type ConnectionFlags } from './connection.ts'
import type { CliContext } from './context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from './dry-run.ts'
import { UsageError } from './errors.ts'
import { outputAliases, outputFlags, type OutputFlags } from './output/flags.ts'
import { renderRecord } from './output/print.ts'
import { readReason, reasonFlag } from './reason.ts'
import { textArgument, textFlag } from './text-argument.ts'

interface Flags extends ConnectionFlags, OutputFlags, DryRunFlags {
  readonly assertDead: boolean
  readonly reason: string
  readonly assertedBy?: string
}

export const fence = buildCommand<Flags, [string], CliContext>({
  docs: {
    brief: 'Assert that a host is dead, as a named person',
    fullDescription:
      'A recovery restarts guests elsewhere only once the host is proved dead. Where no proof can be had, a person can ' +
      'look and give their word, which is recorded with their name. If the host still runs, its guests will run twice ' +
      'and may destroy their disks: look at its power yourself first.',
  },
  parameters: {
    flags: {
      assertDead: {
        kind: 'boolean',
        default: false,
        withNegated: false,
        brief: 'Say that you have seen that it is off; needed',
      },
      reason: reasonFlag,
      assertedBy: textFlag('NAME', 'Who says so; else OS_USERNAME, else USER'),
      ...dryRunFlag,
      ...outputFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
    positional: { kind: 'tuple', parameters: [textArgument('HOST', 'Its name')] },
  },
  async func(flags, host) {
    if (!flags.assertDead) {
      throw new UsageError(`Look at the power of ${host} yourself, then say so with --assert-dead --reason "…".`)
    }
    const { env } = this.process
    const assertedBy = flags.assertedBy ?? env['OS_USERNAME'] ?? env['USER'] ?? ''
    if (assertedBy === '') throw new UsageError('Nobody knows who you are: give your name with --asserted-by.')
    const assertion = { host, reason: readReason(flags.reason), assertedBy }
    const client = await connect(this, flags)
    const { signal } = this
    if (flags.dryRun) {
      const { FENCES_PATH } = await import('../client/index.ts')
      const held = await client.recoveries.list({ host, status: 'held', signal })
      const what = `record that ${assertedBy} asserts that ${host} is dead; ${held.length} held recoveries are of it`
      printPlan(this, client, { what, method: 'POST', api: 'root', path: FENCES_PATH, body: assertion })
      return
    }
    const certificate = await client.fences.assertDead(assertion, { signal })
    const names = Object.keys(certificate)
    const columns = Object.fromEntries(names.map((name) => [name, (of: JsonObject) => of[name] ?? null]))
    if (flags.format !== 'json' && flags.format !== 'yaml') columns['recoveries'] = recoveryText
    this.process.stdout.write(await renderRecord(this, flags, { columns, listed: names, shown: names }, certificate))
  },
})

/** The recoveries that go on with this, for people; the other formats keep the whole of them. */
function recoveryText({ recoveries }: JsonObject): string {
  const all = Array.isArray(recoveries) ? recoveries : []
  if (all.length === 0) return 'none was waiting for this'
  return all.map((one) => (isJsonObject(one) ? textOf(one['id']) : textOf(one))).join('\n')
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : toJson(value ?? null)
}
