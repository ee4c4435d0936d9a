import { toJson, type JsonObject } from '../../core/json.ts'
import { nextTurn } from '../../core/turn.ts'
import { RedisReplyError, type RedisConnection, type RedisReply } from '../../store/redis/index.ts'
import { listOf } from './reply.ts'
import { togetherScript, type SharedScript } from './scripts.ts'

interface Asked {
  readonly script: SharedScript
  readonly now: number
  readonly input: JsonObject
  readonly resolve: (reply: RedisReply) => void
  readonly reject: (error: unknown) => void
}

/** The most transitions of one call: nothing else runs in Redis meanwhile, about a tenth of a millisecond for each. */
const MOST_TOGETHER = 16

export interface TogetherOptions {
  readonly connection: Pick<RedisConnection, 'ask' | 'runScript'>
  readonly prefix: string
  readonly changesKept: string
}

/**
 * Transitions that are asked for in the same turn of the event loop share one call. Each is still one atomic step of its
 * own; only the way to Redis, the making of the script's functions and the reading of the rules are shared.
 *
 * Invariant: what is asked of the connection by {@link ask} or {@link runScript} is sent after all transitions that were
 * asked for before it.
 *
 * Source: vm-pool.md C1, C2.
 */
export class Together {
  readonly #options: TogetherOptions
  #waiting: Asked[] = []

  constructor(options: TogetherOptions) {
    this.#options = options
  }

  readonly ask: RedisConnection['ask'] = async (command, options) => {
    this.#send()
    return await this.#options.connection.ask(command, options)
  }

  readonly runScript: RedisConnection['runScript'] = async (script, keys, values, options) => {
    this.#send()
    return await this.#options.connection.runScript(script, keys, values, options)
  }

  /** Asks for a transition. @throws what the connection throws, RedisReplyError when it was broken off */
  async transition(script: SharedScript, now: number, input: JsonObject): Promise<RedisReply> {
    return await new Promise<RedisReply>((resolve, reject) => {
      this.#waiting.push({ script, now, input, resolve, reject })
      if (this.#waiting.length === 1) void nextTurn().then(() => this.#send())
      else if (this.#waiting.length === MOST_TOGETHER) this.#send()
    })
  }

  #send(): void {
    if (this.#waiting.length === 0) return
    const asked = this.#waiting
    this.#waiting = []
    void this.#run(asked)
  }

  async #run(asked: readonly Asked[]): Promise<void> {
    const { connection, prefix, changesKept } = this.#options
    const inputs = asked.map(({ script, now, input }) => ({ script, now, input }))
    try {
      const reply = await connection.runScript(togetherScript(), [prefix], ['0', toJson(inputs), changesKept])
      const answers = listOf(reply) as readonly RedisReply[]
      for (const [index, { resolve, reject }] of asked.entries()) {
        const answer = answers[index]
        if (answer === undefined) reject(new RedisReplyError('A transition of the pool was not answered.'))
        else resolve(answer)
      }
    } catch (error) {
      for (const { reject } of asked) reject(error)
    }
  }
}
