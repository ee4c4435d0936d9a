import { parseJson, toJson, type JsonObject } from '../../core/json.ts'
import { RedisReplyError, type RedisConnection, type RedisReply } from '../../store/redis/index.ts'
import type { VmDescriptor } from '../descriptor.ts'
import { poolRules, type GroupRules, type PoolConfiguration, type PoolRules } from '../options.ts'
import { indexKey } from '../placements.ts'
import type { Batch, Changed } from '../store.ts'
import { fieldsOf } from './fields.ts'
import { refusalError, type About } from './refusals.ts'
import { listOf, machinesOf, readAnswer, readObject, type Answer } from './reply.ts'
import { isShared, poolScript, type PoolScript } from './scripts.ts'
import { Together } from './together.ts'

export interface PoolRunnerOptions {
  readonly connection: Pick<RedisConnection, 'ask' | 'runScript'>
  readonly prefix: string
  readonly changesKept: number
}

/** How many machines are placed anew in one step. */
export const REINDEX_PAGE = 200

/** Runs the transitions of one pool in Redis: one round trip each. */
export class PoolRunner {
  readonly connection: Together
  readonly prefix: string
  readonly #changesKept: string
  #known: PoolConfiguration = { pool: poolRules(), groups: [] }

  constructor({ connection, prefix, changesKept }: PoolRunnerOptions) {
    this.prefix = prefix
    this.#changesKept = String(changesKept)
    this.connection = new Together({ connection, prefix, changesKept: this.#changesKept })
  }

  /** The rules as last read: good enough to refuse what can never be served; transitions go by those in Redis. */
  get known(): PoolConfiguration {
    return this.#known
  }

  async configuration(): Promise<PoolConfiguration> {
    const fields = fieldsOf(
      listOf(await this.connection.ask(['HGETALL', `${this.prefix}n:config`])) as readonly string[],
    )
    const order = listOf(parseJson(fields.get('order') ?? '[]', 'The order of the groups'))
    const groups = order.map((id) => readObject(fields.get(`group:${String(id)}`) ?? '{}') as unknown as GroupRules)
    const pool = fields.get('pool')
    this.#known = { pool: pool === undefined ? poolRules() : (readObject(pool) as unknown as PoolRules), groups }
    return this.#known
  }

  async groupIds(): Promise<readonly string[]> {
    const { groups } = await this.configuration()
    return groups.map(({ id }) => id)
  }

  /** Runs one transition. @throws the error of its refusal, and what the connection throws */
  async run(script: PoolScript, now: number, input: JsonObject, about: About = {}): Promise<Answer> {
    const answer = readAnswer(await this.#ask(script, now, input))
    const { broken } = answer.result
    if (broken !== undefined) throw new RedisReplyError(`The transition ${script} was broken off: ${toJson(broken)}`)
    if (answer.result['error'] !== undefined) throw refusalError(answer.result, about)
    return answer
  }

  async #ask(script: PoolScript, now: number, input: JsonObject): Promise<RedisReply> {
    if (isShared(script)) return await this.connection.transition(script, now, input)
    const values = [String(now), toJson(input), this.#changesKept]
    return await this.connection.runScript(poolScript(script), [this.prefix], values)
  }

  /** A transition of which only the changes are of interest. */
  async change(script: PoolScript, now: number, input: JsonObject & About): Promise<Changed> {
    const { changes } = await this.run(script, now, input, input)
    return { changes }
  }

  /** A transition of several machines. */
  async each(
    verb: string,
    now: number,
    vms: readonly { readonly name: string }[],
    input: JsonObject & About,
  ): Promise<Batch> {
    const about = { ...input, what: 'termination' }
    const { result, changes } = await this.run('each', now, { verb, vms, ...input }, about)
    return { refused: listOf(result['refused']) as Batch['refused'], changes }
  }

  /** The machines of an index. */
  async index(index: string): Promise<VmDescriptor[]> {
    return machinesOf(await this.run('look', 0, { verb: 'index', index }))
  }

  /** Writes all deadlines anew, page by page: they depend on the rules. */
  async reindexAll(now: number): Promise<void> {
    const names = listOf(await this.connection.ask(['ZRANGE', `${this.prefix}${indexKey.names}`, '0', '-1']))
    for (const page of pages(names as readonly string[], REINDEX_PAGE)) await this.run('reindex', now, { names: page })
  }
}

export function byName(names: readonly string[]): { readonly name: string }[] {
  return names.map((name) => ({ name }))
}

export function* pages<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size)
}
