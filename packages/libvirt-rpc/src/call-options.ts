/** What every call takes. */
export interface CallOptions {
  /** Gives up waiting with the signal's reason. The server is not told: it may still carry the call out. */
  readonly signal?: AbortSignal | undefined
  /** How long to wait for the answer, in ms; default `callTimeoutMs` of the connection. */
  readonly timeoutMs?: number | undefined
}

/** A call that also takes libvirt's flags. */
export interface FlagOptions extends CallOptions {
  /** Bits of the flag table named at the call; default 0. */
  readonly flags?: number | undefined
}
