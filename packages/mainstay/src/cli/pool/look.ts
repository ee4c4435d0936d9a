import { buildCommand } from '@stricli/core'

import type { PoolExplanation, PoolNews } from '../../client/index.ts'
import { toJson } from '../../core/json.ts'
import { formatZulu } from '../../core/timestamp.ts'
import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { follow, followFlags, type FollowFlags } from '../follow.ts'
import { listOutputFlags, outputAliases, type ListOutputFlags } from '../output/flags.ts'
import { renderList } from '../output/print.ts'
import { textArgument } from '../text-argument.ts'
import { decisionView, groupView, labelView } from './view.ts'

interface Flags extends ConnectionFlags, ListOutputFlags, FollowFlags {}

const listing = { flags: { ...listOutputFlags, ...followFlags, ...connectionFlags }, aliases: outputAliases } as const

export const poolPlan = buildCommand<Flags, [], CliContext>({
  docs: { brief: 'Say what the next cycle would do and why; changes nothing' },
  parameters: listing,
  async func(flags) {
    const client = await connect(this, flags)
    await follow(this, flags, {
      fetch: async () => await client.pools.plan({ signal: this.signal }),
      render: async ({ decisions, forecast }) => {
        if (flags.format !== 'table') return await renderList(this, flags, decisionView, decisions)
        const planned =
          decisions.length === 0 ? 'Nothing is to be done.\n' : await renderList(this, flags, decisionView, decisions)
        const foreseen = Object.entries(forecast ?? {}).map(
          ([label, { idle, because }]) => `Forecast (not acted upon): ${label} would keep ${idle} idle, ${because}.\n`,
        )
        return planned + foreseen.join('')
      },
    })
  },
})

export const poolStats = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: 'Show the counts of each group, and what each label wants',
    fullDescription: 'A table has both; every other format has the groups.',
  },
  parameters: listing,
  async func(flags) {
    const client = await connect(this, flags)
    await follow(this, flags, {
      fetch: async () => await client.pools.overview({ signal: this.signal }),
      render: async ({ leader, groups, labels }) => {
        const counts = await renderList(this, flags, groupView, groups)
        if (flags.format !== 'table' || flags.column !== undefined) return counts
        return `${counts}${await renderList(this, flags, labelView, labels)}Led by ${leader ?? 'nobody'}.\n`
      },
    })
  },
})

export const poolExplain = buildCommand<ConnectionFlags & FollowFlags, [string], CliContext>({
  docs: { brief: 'Say why a machine is not handed out, or why a request waits' },
  parameters: {
    flags: { ...followFlags, ...connectionFlags },
    positional: { kind: 'tuple', parameters: [textArgument('SUBJECT', 'A machine by name, or a request by id')] },
  },
  async func(flags, subject) {
    const client = await connect(this, flags)
    await follow(this, flags, {
      fetch: async () => await client.pools.explain(subject, { signal: this.signal }),
      render: explanationText,
    })
  },
})

function explanationText({ doing, verdict, findings, next }: PoolExplanation): string {
  const width = Math.max(0, ...findings.map(({ rule }) => rule.length))
  const looked = findings.map(({ rule, blocks, text }) => `  ${blocks ? 'NO ' : 'ok '} ${rule.padEnd(width)}  ${text}`)
  const coming = next.length === 0 ? ['  nothing'] : next.map((line) => `  ${line}`)
  return [
    doing,
    verdict,
    '',
    ...(looked.length === 0 ? [] : ['What was looked at', ...looked, '']),
    'What comes next',
    ...coming,
    '',
  ].join('\n')
}

interface WatchFlags extends ConnectionFlags {
  readonly format: 'text' | 'json'
}

export const poolWatch = buildCommand<WatchFlags, [], CliContext>({
  docs: { brief: 'Follow the changes of machines and requests until interrupted' },
  parameters: {
    flags: {
      format: {
        kind: 'enum',
        values: ['text', 'json'],
        default: 'text',
        placeholder: 'FORMAT',
        brief: 'text has a line for people, json one object on each line',
      },
      ...connectionFlags,
    },
    aliases: { f: 'format' },
  },
  async func({ format, ...flags }) {
    const client = await connect(this, flags)
    try {
      for await (const news of client.pools.changes({ signal: this.signal })) {
        this.process.stdout.write(format === 'json' ? `${toJson(news)}\n` : newsLine(news))
      }
    } catch (error) {
      if (!this.signal.aborted) throw error
    }
  },
})

function newsLine(news: PoolNews): string {
  const { at, type, vm, request_id: request, from, to, owner, reason } = news
  const moved = from === to ? to : `${from ?? ''} -> ${to ?? ''}`
  const parts = [at === undefined ? null : formatZulu(at), type, vm ?? request, moved, owner, reason]
  return `${parts.filter((part) => part !== null && part !== undefined && part !== '').join('  ')}\n`
}
