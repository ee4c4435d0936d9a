import { openEventStream, type TransportName } from '../../../packages/mainstay/src/client/stream/index.ts'
import { asked, shown } from './shown.ts'

/** A page that follows the stream with our client. */
const stream = openEventStream({
  endpoint: asked.get('endpoint') ?? '',
  transport: (asked.get('transport') ?? 'auto') as TransportName | 'auto',
  since: 'earliest',
  reconnect: { maxDelayMs: 1000 },
  onEvent: ({ seq }) => void shown.seqs.push(seq),
  onState: (state) => void shown.states.push('transport' in state ? `${state.name} ${state.transport}` : state.name),
})
stream.done.catch((error: unknown) => void shown.states.push(String(error)))
