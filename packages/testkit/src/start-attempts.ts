import { TestkitError, reasonOf } from './errors.ts'
import { describeOwners, ownersOfPort } from './ports/port-owner.ts'
import type { ListenSpec } from './spec.ts'
import type { StartOptions } from './start-options.ts'

/** One try to start that failed. */
export interface FailedAttempt {
  readonly ports: Readonly<Record<string, number>>
  readonly durationMs: number
  readonly cause: string
  readonly clash: boolean
  readonly logTail: string
}

/** What was seen of a try that failed. */
interface AttemptSeen {
  readonly ports: Readonly<Record<string, number>>
  readonly durationMs: number
  /** The last lines, without secrets. */
  readonly log: string
  /** Takes the secrets out of a text. */
  readonly hide: (text: string) => string
}

/**
 * The tries of one start, and which failures are worth another: a port clash, which a new port cures, and with
 * `retryOn: 'any'` every launch that failed. Never a wrong specification. Source: testkit.md A5.2.
 */
export class StartAttempts {
  readonly failed: FailedAttempt[] = []
  readonly #server: string
  readonly #retries: number
  readonly #retryOn: 'clash' | 'any'
  readonly #fixedPort: boolean

  constructor(server: string, listen: readonly ListenSpec[], options: StartOptions) {
    this.#server = server
    this.#retries = Math.max(1, options.retries ?? 1)
    this.#retryOn = options.retryOn ?? 'clash'
    this.#fixedPort = listen.some((spec) => spec.port !== undefined)
  }

  /**
   * Notes a failed try, whose process is gone by now: whoever listens on its ports is somebody else.
   *
   * @returns whether to try again
   */
  note(error: unknown, seen: AttemptSeen): boolean {
    const owners = foreignOwners(seen.ports)
    const clash = isClash(error, seen.log, owners)
    const text = reasonOf(error).split('\n')[0] ?? ''
    this.failed.push({
      ports: { ...seen.ports },
      durationMs: Math.round(seen.durationMs),
      cause: seen.hide(clash ? `port clash: ${owners === '' ? text : owners}` : text),
      clash,
      logTail: seen.log.split('\n').slice(-5).join('\n'),
    })
    const worthIt = clash ? !this.#fixedPort : this.#retryOn === 'any' && isLaunchFailure(error)
    return worthIt && this.failed.length < this.#retries
  }

  /** What the caller is told: the error itself, or all tries when there were several. */
  finalError(error: unknown): unknown {
    if (this.failed.length < 2) return error
    const list = this.failed.map(
      ({ ports, durationMs, cause, logTail }, index) =>
        `attempt ${index + 1}: ports ${JSON.stringify(ports)}, ${durationMs} ms: ${cause}\n${logTail}`,
    )
    const message = `server "${this.#server}" did not start in ${this.failed.length} attempts`
    return new TestkitError('TK_START_FAILED', message, { cause: error, details: list.join('\n') })
  }
}

function isClash(error: unknown, log: string, owners: string): boolean {
  if (error instanceof TestkitError && error.code === 'TK_PORT_TAKEN') return true
  if (/EADDRINUSE|address already in use/i.test(log)) return true
  return isLaunchFailure(error) && owners !== ''
}

function isLaunchFailure(error: unknown): boolean {
  return error instanceof TestkitError && ['TK_NOT_READY', 'TK_START_FAILED', 'TK_EXIT_CODE'].includes(error.code)
}

function foreignOwners(ports: Readonly<Record<string, number>>): string {
  return Object.values(ports)
    .map((port) => ({ port, owners: ownersOfPort(port) }))
    .filter(({ owners }) => owners.length > 0)
    .map(({ port, owners }) => `port ${port} belongs to ${describeOwners(owners)}`)
    .join('; ')
}
