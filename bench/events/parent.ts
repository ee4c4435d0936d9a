import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a child can be asked: for each name, what is given and what comes back. */
export type Calls<C> = { readonly [Name in keyof C]: readonly [given: unknown, result: unknown] }

interface Call {
  readonly id: number
  readonly name: string
  readonly given: unknown
}

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

/** In a child: does what the parent asks, and ends with it. */
export function serveParent<C extends Calls<C>>(handlers: {
  [Name in keyof C]: (given: C[Name][0]) => Promise<C[Name][1]>
}): void {
  const byName = handlers as unknown as Record<string, (given: unknown) => Promise<unknown>>
  process.on('message', (message) => void answer(byName, message as Call))
  process.on('disconnect', () => process.exit())
}

async function answer(handlers: Record<string, (given: unknown) => Promise<unknown>>, call: Call): Promise<void> {
  const reply = (rest: Omit<Answer, 'id'>): void => void process.send?.({ id: call.id, ...rest })
  try {
    reply({ result: await handlers[call.name]!(call.given) })
  } catch (error) {
    reply({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
}

/** A child that is asked. It is killed when it is disposed. */
export class Child<C extends Calls<C>> implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #lastId = 0

  /** @param script beside this file */
  constructor(
    script: string,
    { args = [], execArgv = [] }: { args?: readonly string[]; execArgv?: readonly string[] } = {},
  ) {
    this.#process = fork(fileURLToPath(new URL(script, import.meta.url)), [...args], { execArgv: [...execArgv] })
    this.#process.on('message', (message) => this.#settle(message as Answer))
    this.#process.on('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${script} ended with ${String(code)}`))
    })
  }

  async ask<Name extends keyof C & string>(name: Name, given: C[Name][0]): Promise<C[Name][1]> {
    this.#lastId += 1
    const waiting = Promise.withResolvers<C[Name][1]>()
    this.#waiting.set(this.#lastId, waiting)
    this.#process.send({ id: this.#lastId, name, given } satisfies Call)
    return await waiting.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGKILL')
    await once(this.#process, 'exit')
  }

  #settle({ id, result, error }: Answer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(error))
  }
}
