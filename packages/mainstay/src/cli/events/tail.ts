import { buildCommand } from '@stricli/core'

import type { EventStreamOptions, StreamState } from '../../client/index.ts'
import { formatZulu } from '../../core/timestamp.ts'
import { formatDuration } from '../../core/format-duration.ts'
import { connectionFlags, serverOf, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { parseDuration } from '../duration.ts'
import { limitFlag, type LimitFlags } from '../limit.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { textFlag } from '../text-argument.ts'
import { filterFlags, filtersOf, type FilterFlags } from './filter-flags.ts'
import { linePrinter } from './line-printer.ts'

const TRANSPORTS = ['auto', 'websocket', 'sse'] as const

interface Flags extends ConnectionFlags, Omit<OutputFlags, 'noindent' | 'fitWidth'>, FilterFlags, LimitFlags {
  readonly since?: string
  readonly for?: number
  readonly transport: (typeof TRANSPORTS)[number]
}

const { noindent: _noindent, fitWidth: _fitWidth, ...lineFlags } = outputFlags

export const eventsTail = buildCommand<Flags, [], CliContext>({
  docs: {
    brief: 'Print events as they come',
    fullDescription:
      'Goes on for ever, also while the server is away: it connects again and goes on where it was, so that no event is ' +
      'missing and none is printed twice. Interrupted on a terminal it says with which --since it would go on.',
  },
  parameters: {
    flags: {
      since: textFlag('PLACE', 'Begin after this: latest (now), earliest, a cursor, or a time; latest without it'),
      ...limitFlag,
      for: {
        kind: 'parsed',
        parse: parseDuration,
        placeholder: 'DURATION',
        optional: true,
        brief: 'The longest to go on; until interrupted without it',
      },
      transport: { kind: 'enum', values: TRANSPORTS, default: 'auto', brief: 'How to connect' },
      ...filterFlags,
      ...lineFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
  },
  async func(flags) {
    const { limit = Number.POSITIVE_INFINITY } = flags
    const { openEventStream } = await import('../../client/index.ts')
    const print = await linePrinter(this, { ...flags, noindent: true, fitWidth: false })
    if (limit === 0) return
    using enough = endAfter(this, flags.for)
    const options: EventStreamOptions = {
      ...(await serverOf(this, flags)),
      since: flags.since,
      filters: filtersOf(flags),
      transport: flags.transport,
      clock: this.clock,
      signal: enough.signal,
      ...notices(this),
    }
    await using stream = openEventStream(options)
    let printed = 0
    for await (const event of stream) {
      print(event)
      printed += 1
      if (printed >= limit) return
    }
    if (this.signal.aborted && this.process.stderr.isTTY === true && stream.cursor !== undefined) {
      this.process.stderr.write(`mainstay: go on with --since ${stream.cursor}\n`)
    }
  },
})

/** Aborted by an interrupt, or when the time is over. */
function endAfter({ signal, clock }: CliContext, forMs: number | undefined): Disposable & { signal: AbortSignal } {
  const over = new AbortController()
  const timer = forMs === undefined ? undefined : clock.after(forMs, () => over.abort())
  return {
    signal: AbortSignal.any([signal, over.signal]),
    [Symbol.dispose]: () => timer?.[Symbol.dispose](),
  }
}

/** What a person is told beside the events: that the server is away, that it is back, that history was lost. */
function notices({ process: { stderr }, clock }: CliContext): Pick<EventStreamOptions, 'onState' | 'onReset'> {
  const say = (text: string): void => stderr.write(`mainstay: ${formatZulu(clock.now())} ${text}\n`)
  let away = false
  return {
    onState: (state: StreamState) => {
      if (state.name === 'waiting' && !away) {
        away = true
        say(`The event stream was lost: ${state.why}. Trying again, in ${formatDuration(state.retryMs)} at first.`)
      }
      if (state.name === 'open' && away) {
        away = false
        say('The event stream is back.')
      }
    },
    onReset: ({ reason, oldest }) => say(`Events are missing here (${reason}): going on with event ${oldest}.`),
  }
}
