import { MainstayError } from '../../core/errors.ts'

/** Too much of something. Source: event-stream.md 11.9. */
export class TooManyConnectionsError extends MainstayError {
  readonly code = 'MS_TOO_MANY_CONNECTIONS'
  readonly status = 429
  readonly retryable = true

  constructor(of: string, limit: number) {
    super(`There are ${limit} stream connections of ${of} already, as many as are allowed. Close one, or try later.`)
  }
}

export interface ConnectionLimitOptions {
  readonly perNode: number
  readonly perAddress: number
  readonly perPrincipal: number
}

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimitOptions = {
  perNode: 10_000,
  perAddress: 100,
  perPrincipal: 50,
}

/** Counts the open connections of this node. */
export class ConnectionLimits {
  readonly #options: ConnectionLimitOptions
  #open = 0
  readonly #addresses = new Map<string, number>()
  readonly #principals = new Map<string, number>()
  #onEmpty: PromiseWithResolvers<void> | undefined

  constructor(options: ConnectionLimitOptions) {
    this.#options = options
  }

  get open(): number {
    return this.#open
  }

  /** Settles as soon as no connection is open. */
  async empty(): Promise<void> {
    if (this.#open === 0) return
    this.#onEmpty ??= Promise.withResolvers()
    await this.#onEmpty.promise
  }

  /**
   * Takes a place for a connection.
   *
   * @param caller `principal` is null where nobody is asked who they are: then the limit of a user has no meaning
   *
   * @returns gives the place back; may be called more than once
   * @throws TooManyConnectionsError
   */
  enter({ address, principal }: { address: string; principal: string | null }): () => void {
    const { perNode, perAddress, perPrincipal } = this.#options
    if (this.#open >= perNode) throw new TooManyConnectionsError('this node', perNode)
    const byAddress = this.#addresses.get(address) ?? 0
    const byPrincipal = principal === null ? 0 : (this.#principals.get(principal) ?? 0)
    if (byAddress >= perAddress) throw new TooManyConnectionsError(`the address ${address}`, perAddress)
    if (principal !== null && byPrincipal >= perPrincipal)
      throw new TooManyConnectionsError(`the user ${principal}`, perPrincipal)
    this.#open += 1
    this.#addresses.set(address, byAddress + 1)
    if (principal !== null) this.#principals.set(principal, byPrincipal + 1)
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      this.#open -= 1
      decrease(this.#addresses, address)
      if (principal !== null) decrease(this.#principals, principal)
      if (this.#open > 0) return
      this.#onEmpty?.resolve()
      this.#onEmpty = undefined
    }
  }
}

function decrease(counts: Map<string, number>, key: string): void {
  const count = (counts.get(key) ?? 0) - 1
  if (count > 0) counts.set(key, count)
  else counts.delete(key)
}
