export interface StartOptions {
  /** Default true. False: the server is expected to end before it is ready. */
  readonly expectLaunch?: boolean
  /** Default 0 for a oneshot; any but 0 when no launch is expected. */
  readonly expectExitCode?: number
  /** With `expectLaunch: false`: a server that neither ends nor becomes ready is fine too. */
  readonly acceptHang?: boolean
  /**
   * Time to become ready. Default: the spec's `startTimeoutMs`, or 10 s. When it is given it also bounds, each, the
   * database, `prepare` and `afterReady`.
   */
  readonly timeoutMs?: number
  /** How often is tried in total when the launch fails. Default 1. */
  readonly retries?: number
  /** Which failures are tried again. Default: port clashes only. */
  readonly retryOn?: 'clash' | 'any'
  /** Override keys that the spec does not know are accepted. */
  readonly allowUnknown?: boolean
}

export interface StartResult {
  readonly pid: number | undefined
  readonly ports: Readonly<Record<string, number>>
  readonly readyAfterMs: number
  readonly attempts: number
  /** A oneshot, or a launch that was not expected: how it ended and what it said. */
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly durationMs: number
}
