/** A signal by which a person tells a program to stop, to read its configuration again, or that the terminal went away. */
export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

const SIGNALS: readonly Signal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

type Heard = (signal: Signal) => void

/** What is needed of `process`. */
export interface SignalProcess {
  readonly pid: number
  on(event: string, listener: (value: unknown) => void): unknown
  off(event: string, listener: (value: unknown) => void): unknown
  kill(pid: number, signal: Signal): unknown
  /** Only in a process with a channel to the one that started it. */
  send?(message: unknown): unknown
  readonly channel?: { unref(): void } | null | undefined
}

/**
 * The signals of this process, each heard once. One that nobody listens to does what the system does to any program: it ends it.
 *
 * Behind the launcher (`bin/mainstay.mjs` on an older Node) a signal has two ways: to this process itself, and to the launcher,
 * which hands it on as a message `{ signal }`. One that is sent to the process group (Ctrl-C, a service manager that stops all
 * of a service) takes both; see {@link OneSignal}.
 */
export class Signals {
  readonly #signals: ReadonlyMap<Signal, OneSignal>

  constructor(process: SignalProcess) {
    this.#signals = new Map(SIGNALS.map((signal) => [signal, new OneSignal(signal, process)]))
    if (process.send === undefined) return
    process.on('message', (message) => {
      for (const [signal, one] of this.#signals) if (isHandedOn(message, signal)) one.arrive('handedOn')
    })
    // A command that has ended does not stay for what the launcher may still say.
    process.channel?.unref()
    // Until it has read this the launcher hands signals on as signals: nobody would read its messages.
    process.send({ hears: SIGNALS })
  }

  /** Calls `heard` at every such signal until disposed. */
  on(signal: Signal, heard: Heard): Disposable {
    return this.#signals.get(signal)!.on(heard)
  }
}

/**
 * One signal and the two ways that bring it. What comes by the second way is the echo of what came by the first:
 *
 *   even ──by one way: heard──▶ ahead ──by the other way: an echo──▶ even
 *                                 └──by the same way again: heard──▶ further ahead
 *
 * Invariant: it is heard as often as it came by the way that brought it more often. The system's own behaviour is in force
 * whenever nobody listens and no echo is due.
 */
class OneSignal {
  readonly #signal: Signal
  readonly #process: SignalProcess
  readonly #listeners = new Set<Heard>()
  readonly #times = { direct: 0, handedOn: 0 }
  readonly #onDirect = (): void => this.arrive('direct')
  #watched = false

  constructor(signal: Signal, process: SignalProcess) {
    this.#signal = signal
    this.#process = process
  }

  on(heard: Heard): Disposable {
    this.#listeners.add(heard)
    this.#watch()
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(heard)
        this.#watch()
      },
    }
  }

  arrive(way: 'direct' | 'handedOn'): void {
    this.#times[way] += 1
    const isEcho = this.#times[way] <= this.#times[way === 'direct' ? 'handedOn' : 'direct']
    const listeners = [...this.#listeners]
    this.#watch()
    if (isEcho) return
    if (listeners.length === 0) this.#end()
    for (const heard of listeners) heard(this.#signal)
  }

  /** Without a listener of ours, the system ends the process. */
  #watch(): void {
    const wanted = this.#listeners.size > 0 || this.#times.handedOn > this.#times.direct
    if (wanted === this.#watched) return
    this.#watched = wanted
    if (wanted) this.#process.on(this.#signal, this.#onDirect)
    else this.#process.off(this.#signal, this.#onDirect)
  }

  #end(): void {
    if (this.#watched) this.#process.off(this.#signal, this.#onDirect)
    this.#watched = false
    this.#process.kill(this.#process.pid, this.#signal)
  }
}

function isHandedOn(message: unknown, signal: Signal): boolean {
  return typeof message === 'object' && message !== null && 'signal' in message && message.signal === signal
}
