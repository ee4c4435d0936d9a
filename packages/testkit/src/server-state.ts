import { TestkitError } from './errors.ts'

/**
 * The life of a managed server.
 *
 *   new ──start──▶ preparing ──spawn──▶ starting ──ready──▶ ready ──stop──▶ stopping ──▶ exited
 *                      │                   │                │ ▲                            │
 *                      └───────▶ failed ◀──┘           pause│ │resume                      └──start──▶ preparing
 *                                  └──start──▶ preparing    ▼ │
 *                                                         paused ──stop──▶ stopping
 *
 * A server that ends by itself goes from any running state to `exited`.
 */
export type ServerState = 'new' | 'preparing' | 'starting' | 'ready' | 'paused' | 'stopping' | 'exited' | 'failed'

/** From which states an operation is allowed. */
const allowed = {
  start: ['new', 'exited', 'failed'],
  pause: ['ready'],
  resume: ['paused'],
  reload: ['ready'],
  kill: ['starting', 'ready', 'paused', 'stopping'],
} as const satisfies Record<string, readonly ServerState[]>

/** Refuses an operation that the state does not allow, naming both. Throws TK_STATE. */
export function requireState(server: string, state: ServerState, operation: keyof typeof allowed): void {
  const states: readonly ServerState[] = allowed[operation]
  if (states.includes(state)) return
  throw new TestkitError(
    'TK_STATE',
    `cannot ${operation} server "${server}": it is ${state}; this needs ${states.join(' or ')}`,
  )
}
