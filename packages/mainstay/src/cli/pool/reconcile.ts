import { buildCommand } from '@stricli/core'

import { isJsonObject, toJson, type JsonObject } from '../../core/json.ts'
import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, type DryRunFlags } from '../dry-run.ts'
import { outputAliases, listOutputFlags, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import type { View } from '../output/view.ts'
import { reasonFlag } from '../reason.ts'
import { wordsFlag } from '../words.ts'
import { operate, operateFlags, type OperateFlags } from './operate.ts'

interface Flags extends ConnectionFlags, ListOutputFlags, DryRunFlags {
  readonly reason: string
  readonly confirm?: readonly string[]
}

interface Finding {
  readonly decision: JsonObject
  readonly outcome: string | null
  readonly because: string | null
}

const findingView: View<Finding> = {
  columns: {
    decide: ({ decision }) => decision['decide'] ?? null,
    provider: ({ decision }) => decision['provider'] ?? null,
    subject: ({ decision }) => subjectOf(decision),
    outcome: ({ outcome }) => outcome,
    because: ({ decision, because }) => because ?? decision['because'] ?? null,
  },
  listed: ['decide', 'provider', 'subject', 'outcome', 'because'],
  shown: ['decide', 'provider', 'subject', 'outcome', 'because'],
}

export const poolReconcile = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: 'Compare the records with what the providers show, now',
    fullDescription:
      'Machines of ours that nobody knows are destroyed, records of machines that are gone are dropped; what is more than ' +
      'one pass may do away with is only shown, and done with --confirm. With --dry-run nothing is done.',
  },
  parameters: {
    flags: {
      reason: reasonFlag,
      confirm: wordsFlag('ID,...', 'What is done although it is more than one pass may do away with'),
      ...dryRunFlag,
      ...listOutputFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
  },
  async func(flags) {
    const client = await connect(this, flags)
    const { reason, confirm, dryRun } = flags
    const body = { reason, dryRun, ...(confirm === undefined ? {} : { confirm }) }
    const { decisions, carriedOut } = await client.pools.reconcile(body, { signal: this.signal })
    const outcomes = new Map(carriedOut.map((each) => [toJson(each.decision), each]))
    const findings = decisions.map((decision): Finding => {
      const done = outcomes.get(toJson(decision))
      return { decision, outcome: done?.outcome ?? null, because: done?.because ?? null }
    })
    this.process.stdout.write(await renderList(this, flags, findingView, findings))
  },
})

export const poolReload = buildCommand<OperateFlags, [], CliContext>({
  docs: { brief: 'Have the server read the configuration of the pool again' },
  parameters: { flags: operateFlags },
  async func(flags) {
    const { POOL_PATHS } = await import('../../client/index.ts')
    await operate(this, flags, {
      what: 'read the configuration again',
      method: 'PUT',
      path: POOL_PATHS.configuration,
      done: 'The configuration was read again.',
    })
  },
})

function subjectOf(decision: JsonObject): string | null {
  const { vm, machine, resource, ids } = decision
  if (typeof vm === 'string') return vm
  const named = machine ?? resource
  if (isJsonObject(named) && typeof named['name'] === 'string') return named['name']
  return Array.isArray(ids) ? ids.join(' ') : null
}
