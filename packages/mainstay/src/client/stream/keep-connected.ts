import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import type { EndedConnection } from './connection.ts'
import { StreamRefusedError } from './errors.ts'
import type { StreamState } from './options.ts'
import {
  afterEnd,
  describeEnd,
  fallbackTransport,
  firstTransport,
  type ReconnectOptions,
  type TransportName,
} from './reconnect.ts'

export interface KeepConnected {
  readonly endpoint: string
  readonly possible: readonly TransportName[]
  readonly reconnect: ReconnectOptions
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
  /** Waits until more events may come. */
  readonly room: () => Promise<void>
  /** Connects, and resolves when the connection is over. */
  readonly connect: (transport: TransportName, options: { renewToken: boolean }) => Promise<EndedConnection>
  /** The place in the stream is not good. */
  readonly forgetPlace: () => void
  readonly onState: (state: StreamState) => void
}

/**
 * Connects again and again, in rounds: a round tries the preferred transport, then the other if the first one did not
 * get through; between two rounds is a wait.
 *
 * @throws StreamRefusedError when the server refuses for good; the reason of the signal when it is aborted
 */
export async function keepConnected(deps: KeepConnected): Promise<never> {
  const { clock, signal, possible, onState } = deps
  const worked = new Set<TransportName>()
  const history = { possible, worked }
  let failures = 0
  let renewToken = false
  let transport = firstTransport(history)
  for (;;) {
    await deps.room()
    signal.throwIfAborted()
    onState({ name: 'connecting', transport })
    const { end, lastedMs, hintMs } = await deps.connect(transport, { renewToken })
    signal.throwIfAborted()
    const opened = lastedMs !== null
    const fallback = fallbackTransport({ tried: transport, end, opened }, history)
    if (opened) worked.add(transport)
    if (fallback !== undefined) {
      transport = fallback
      continue
    }
    const next = afterEnd({ end, lastedMs, failures, hintMs, chance: deps.random.next() }, deps.reconnect)
    const why = describeEnd(end)
    if (next.kind === 'stop') {
      throw new StreamRefusedError(deps.endpoint, why, { status: end.kind === 'refused' ? end.status : 403 })
    }
    if (next.forgetPlace) deps.forgetPlace()
    ;({ failures, renewToken } = next)
    transport = firstTransport(history)
    if (next.delayMs === 0) continue
    onState({ name: 'waiting', why, retryMs: next.delayMs })
    await clock.sleep(next.delayMs, { signal })
  }
}
