import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { MainstayError, TimeoutError } from '../../core/errors.ts'
import {
  chooseProvider,
  type ProviderCandidate,
  type ProviderChoice,
  type ProviderRefusal,
} from '../choose-provider.ts'
import {
  DEFAULT_PROVIDER_HEALTH_OPTIONS,
  NEW_PROVIDER_HEALTH,
  attemptAbandoned,
  attemptBegan,
  attemptFailed,
  attemptSucceeded,
  enabledAgain,
  type AttemptFailure,
  type ProviderHealth,
  type ProviderHealthOptions,
} from '../provider-health.ts'
import { ProviderError, type ProviderErrorClass } from './errors.ts'
import type { CreateRequest, CreatedMachine, Provider } from './provider.ts'

/** No provider may be asked for a machine now. */
export class NoProviderError extends MainstayError {
  readonly code = 'MS_POOL_NO_PROVIDER'
  readonly status = 503
  readonly retryable = true
  readonly refusals: readonly ProviderRefusal[]
  /** When one may be asked again, in milliseconds since the Unix epoch; null when a person has to do something first. */
  readonly until: number | null

  constructor(
    machine: string,
    refusals: readonly ProviderRefusal[],
    until: number | null,
    options?: { cause?: unknown },
  ) {
    const each = refusals.map(({ provider, because }) => `${provider}: ${because}`).join(', ')
    const remedy = until === null ? 'Look at "mainstay pool providers".' : 'It is tried again by itself.'
    super(`No provider can make the machine ${machine} now (${each || 'none is configured'}). ${remedy}`, options)
    this.refusals = refusals
    this.until = until
  }
}

export interface FleetMember {
  readonly provider: Provider
  readonly priority: number
  readonly weight: number
}

/** What becomes known while machines are made, for metrics, logs and alarms. */
export interface FleetListener {
  attempted?(attempt: {
    readonly provider: string
    readonly machine: string
    readonly probe: boolean
    readonly tookMs: number
    /** Null for a machine. */
    readonly failure: { readonly class: ProviderErrorClass; readonly message: string } | null
  }): void
  /** A provider refuses our credentials and is not asked any more until a person enables it. */
  disabled?(provider: string, because: string): void
}

export interface FleetOptions {
  readonly members: readonly FleetMember[]
  readonly clock: Clock
  readonly random: Random
  readonly health?: Partial<ProviderHealthOptions>
  readonly listener?: FleetListener
}

export interface FleetRequest {
  /** The names of the providers that the label may use. */
  readonly providers: readonly string[]
  /** Asked first, whatever its health: an earlier attempt may have made the machine there. */
  readonly first?: string | null
  /** Called before each attempt, so that the record says where to look. */
  readonly onAttempt?: (provider: string) => Promise<void>
  /**
   * Asked after an attempt that failed: whether the machine is to be made at all, by now. The failure of one that we ended
   * ourselves says nothing about the provider, at which its parts disappeared one by one.
   */
  readonly stillWanted?: () => Promise<boolean>
}

/** Failures after which nothing was made, and another provider may do better at once. */
const ELSEWHERE: ReadonlySet<ProviderErrorClass> = new Set(['quota', 'capacity', 'rate_limit', 'authentication'])

/**
 * The providers of one installation and how they do: asks the one that `chooseProvider` says, remembers what came of it, and
 * goes on to the next where that helps.
 *
 * Source: vm-pool.md C11.
 */
export class ProviderFleet {
  readonly #members = new Map<string, FleetMember>()
  readonly #health = new Map<string, ProviderHealth>()
  readonly #draining = new Set<string>()
  readonly #clock: Clock
  readonly #random: Random
  readonly #listener: FleetListener
  readonly healthOptions: ProviderHealthOptions

  constructor({ members, clock, random, health, listener = {} }: FleetOptions) {
    for (const member of members) this.#members.set(member.provider.name, member)
    this.#clock = clock
    this.#random = random
    this.#listener = listener
    this.healthOptions = { ...DEFAULT_PROVIDER_HEALTH_OPTIONS, ...health }
  }

  get providers(): readonly Provider[] {
    return [...this.#members.values()].map(({ provider }) => provider)
  }

  provider(name: string): Provider | undefined {
    return this.#members.get(name)?.provider
  }

  /**
   * Whether a machine's provider is one of these, or nobody's: one that was adopted without a provider is somebody else's. Of a
   * machine whose provider is not configured (any more) nothing can be learnt, and it cannot be destroyed.
   */
  serves({ provider }: { readonly provider: string | null }): boolean {
    return provider === null || this.#members.has(provider)
  }

  /** All members with their health, or those of these names; for choosing, showing and explaining. */
  candidates(names: readonly string[] = [...this.#members.keys()]): ProviderCandidate[] {
    return names.flatMap((name) => {
      const member = this.#members.get(name)
      if (member === undefined) return []
      const { priority, weight } = member
      return { name, priority, weight, draining: this.#draining.has(name), health: this.#healthOf(name) }
    })
  }

  /** What `create` would do now. Changes nothing. */
  choose(names: readonly string[], tried?: ReadonlySet<string>): ProviderChoice {
    return chooseProvider({
      candidates: this.candidates(names),
      now: this.#clock.now(),
      chance: this.#random.next(),
      options: this.healthOptions,
      ...(tried === undefined ? {} : { tried }),
    })
  }

  /**
   * Makes a machine at the best provider that will; a refusal for quota, capacity, rate or credentials leads to the next
   * one at once.
   *
   * @throws NoProviderError when none may be asked, with the last refusal as its cause; ProviderError of the attempt when
   * another provider would not help (`invalid`) or when it is not known what was made (`transient`); the signal's reason
   */
  async create(
    request: CreateRequest,
    { providers, first = null, onAttempt, stillWanted = async () => true }: FleetRequest,
  ): Promise<{ readonly machine: CreatedMachine; readonly provider: string }> {
    const tried = new Set<string>()
    let refused: unknown
    let next: ProviderChoice =
      first === null || !this.#members.has(first)
        ? this.choose(providers, tried)
        : { choice: 'use', provider: first, probe: false, refusals: [] }
    while (next.choice === 'use') {
      const { provider, probe } = next
      const startedAt = this.#clock.now()
      // In the turn of the choice: of two that are made at once, only one is the probe.
      this.#health.set(provider, attemptBegan(this.#healthOf(provider), startedAt))
      try {
        await onAttempt?.(provider)
        return { machine: await this.#attempt(provider, { probe, startedAt }, request), provider }
      } catch (error) {
        const failure = failureOf(error, request.signal)
        const wanted = failure === null || (await stillWanted())
        this.#judge(wanted ? failure : null, { provider, probe, startedAt }, request)
        if (!wanted || !(error instanceof ProviderError) || !ELSEWHERE.has(error.class)) throw error
        refused = error
      }
      tried.add(provider)
      next = this.choose(providers, tried)
    }
    const until = next.choice === 'wait' ? next.until : null
    throw new NoProviderError(request.name, next.refusals, until, { cause: refused })
  }

  /** Stops or starts making machines at a provider; what is there stays (C12). */
  setDraining(name: string, draining: boolean): void {
    if (draining) this.#draining.add(name)
    else this.#draining.delete(name)
  }

  /** What is known of those that were asked, for keeping it. */
  known(): { readonly name: string; readonly health: ProviderHealth }[] {
    return [...this.#health].map(([name, health]) => ({ name, health }))
  }

  /** Goes by what was kept of a provider from now on. */
  recall(name: string, health: ProviderHealth): void {
    this.#health.set(name, health)
  }

  /** Lets a provider be asked again at once: its credentials are repaired, or a person wants to know. */
  enable(name: string): void {
    this.#health.set(name, enabledAgain(this.#healthOf(name)))
  }

  /** Closes every provider, whatever the others do. */
  async close(): Promise<void> {
    await Promise.all(this.providers.map(async (provider) => await provider.close()))
  }

  async #attempt(
    name: string,
    { probe, startedAt }: Omit<Attempt, 'provider'>,
    request: CreateRequest,
  ): Promise<CreatedMachine> {
    const { provider } = this.#members.get(name)!
    const machine = await provider.create(request)
    const now = this.#clock.now()
    this.#health.set(name, attemptSucceeded(this.#healthOf(name), { now, startedAt }, this.healthOptions))
    const told = { provider: name, machine: request.name, probe }
    this.#listener.attempted?.({ ...told, tookMs: now - startedAt, failure: null })
    return machine
  }

  /** Remembers what a failure says about the provider; null for none of its doing. */
  #judge(failure: Failure | null, { provider, probe, startedAt }: Attempt, { name: machine }: CreateRequest): void {
    const before = this.#healthOf(provider)
    if (failure === null) {
      this.#health.set(provider, attemptAbandoned(before))
      return
    }
    const now = this.#clock.now()
    const attempt = { ...failure, now, startedAt, chance: this.#random.next() }
    this.#health.set(provider, attemptFailed(before, attempt, this.healthOptions))
    this.#listener.attempted?.({ provider, machine, probe, tookMs: now - startedAt, failure })
    if (failure.class === 'authentication' && before.disabledBecause === null) {
      this.#listener.disabled?.(provider, failure.message)
    }
  }

  #healthOf(name: string): ProviderHealth {
    return this.#health.get(name) ?? { ...NEW_PROVIDER_HEALTH, updatedAt: this.#clock.now() }
  }
}

interface Attempt {
  readonly provider: string
  readonly probe: boolean
  readonly startedAt: number
}

type Failure = Pick<AttemptFailure, 'class' | 'message' | 'retryAfterMs'>

/**
 * What an error says about the provider. Null for none of its doing: we were told to stop, or the caller's own record of the
 * machine could not be written. A deadline that is over is its doing.
 */
function failureOf(error: unknown, signal: AbortSignal): Failure | null {
  if (signal.aborted) {
    return signal.reason instanceof TimeoutError ? { class: 'transient', message: signal.reason.message } : null
  }
  if (!(error instanceof ProviderError)) return null
  return { class: error.class, message: error.message, retryAfterMs: error.retryAfterMs }
}
