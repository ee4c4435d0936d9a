import {
  loadScript,
  type AskOptions,
  type RedisConnection,
  type RedisReply,
  type RedisScript,
} from '../../store/redis/index.ts'
import type { RepeatWindow, RetentionOptions } from '../retention.ts'

/** What a node has last seen of the log: evidence of what must be there. */
export interface Seen {
  readonly epoch: string
  readonly seq: number
  /** The id of the event at `seq`, empty where it is not known. */
  readonly id: string
}

export interface RedisExtent {
  readonly epoch: string
  readonly oldest: number
  readonly head: number
  /** The id of the event at the head, empty where it is not kept. */
  readonly headId: string
}

/** An event as the stream holds it. */
export interface RedisEntry {
  readonly seq: number
  readonly text: string
  readonly id: string
  /** The epoch in which it was appended. */
  readonly epoch: string
  /** The id of the event before it, empty where there was none. */
  readonly before: string
}

export interface RedisNewEntry {
  readonly text: string
  readonly sourceId: string
  readonly id: string
  /** When it was taken in, in milliseconds since the Unix epoch. */
  readonly at: number
}

const APPEND = script('append')
const EXTENT = script('extent')
const READ = script('read')
const SEQ_BEFORE = script('seq-before')
const TRIM = script('trim')

/** The commands of the log in the words of Redis. Every method throws as `RedisConnection.ask`. */
export class LogCommands {
  readonly #redis: RedisConnection
  readonly #keys: Readonly<Record<'log' | 'state' | 'seen' | 'ids', string>>

  /** @param prefix what all keys begin with, as a hash tag, so that a cluster keeps them together */
  constructor(redis: RedisConnection, prefix: string) {
    this.#redis = redis
    const tag = `{${prefix}}`
    this.#keys = { log: `${tag}:log`, state: `${tag}:state`, seen: `${tag}:seen`, ids: `${tag}:ids` }
  }

  /** @returns the epoch, and for each entry its place, undefined for a repeat */
  async append(
    entries: readonly RedisNewEntry[],
    context: { seen: Seen; newEpoch: string; now: number; repeats: RepeatWindow },
    asking: AskOptions,
  ): Promise<{ epoch: string; places: (number | undefined)[] }> {
    const { log, state, seen, ids } = this.#keys
    const { now, repeats } = context
    const values = entries.flatMap(({ text, sourceId, id, at }) => [text, sourceId, id, String(at)])
    const window = [String(now), String(repeats.ms), String(repeats.events)]
    const reply = await this.#redis.runScript(
      APPEND,
      [log, state, seen, ids],
      [...evidence(context), ...window, ...values],
      asking,
    )
    const [epoch = '', ...places] = texts(reply)
    return { epoch, places: places.map((place) => (place === '' ? undefined : Number(place))) }
  }

  async extent(context: { seen: Seen; newEpoch: string }, asking: AskOptions = {}): Promise<RedisExtent> {
    const { log, state } = this.#keys
    const reply = await this.#redis.runScript(EXTENT, [log, state], evidence(context), asking)
    const [epoch = '', oldest, head, headId = ''] = texts(reply)
    return { epoch, oldest: Number(oldest), head: Number(head), headId }
  }

  /** Events between two places, both included; downwards from `from` when it is the greater one. */
  async read(
    { from, to, limit }: { from: number | 'start' | 'end'; to: 'start' | 'end'; limit: number },
    asking: AskOptions = {},
  ): Promise<{ epoch: string; entries: { seq: number; text: string }[] }> {
    const { log, state } = this.#keys
    const first = from === 'start' ? '-' : from === 'end' ? '+' : `${from}-0`
    const values = [to === 'end' ? 'up' : 'down', first, to === 'end' ? '+' : '-', String(limit)]
    const [epoch = '', ...rest] = texts(await this.#redis.runScript(READ, [log, state], values, asking))
    const entries: { seq: number; text: string }[] = []
    for (let index = 0; index < rest.length; index += 2) {
      entries.push({ seq: Number(rest[index]), text: rest[index + 1]! })
    }
    return { epoch, entries }
  }

  async placeOf(id: string): Promise<number | undefined> {
    const place = await this.#redis.ask(['HGET', this.#keys.ids, id])
    return typeof place === 'string' ? Number(place) : undefined
  }

  async seqBefore(epochMs: number): Promise<number> {
    const { log, state } = this.#keys
    return Number(await this.#redis.runScript(SEQ_BEFORE, [log, state], [String(Math.ceil(epochMs))]))
  }

  /** @returns how many events were dropped; `chunk` when there may be more to drop */
  async trim({ now, retention, chunk }: { now: number; retention: RetentionOptions; chunk: number }): Promise<number> {
    const { log, state, ids } = this.#keys
    const { maxAgeMs, maxEvents, maxBytes } = retention
    const values = [now, maxAgeMs, maxEvents, maxBytes, chunk].map(String)
    return Number(await this.#redis.runScript(TRIM, [log, state, ids], values))
  }

  /** Waits for entries after a place, at most `blockMs`. Blocks the whole connection. */
  async follow(
    { after, limit, blockMs }: { after: number; limit: number; blockMs: number },
    asking: AskOptions,
  ): Promise<RedisEntry[]> {
    const command = ['XREAD', 'COUNT', String(limit), 'BLOCK', String(blockMs), 'STREAMS', this.#keys.log, `${after}-0`]
    const reply = await this.#redis.ask(command, asking)
    if (!Array.isArray(reply)) return []
    const [[, entries]] = reply as [[string, [string, string[]][]]]
    return entries.map(([id, fields]) => {
      const values = new Map<string, string>()
      for (let index = 0; index < fields.length; index += 2) values.set(fields[index]!, fields[index + 1]!)
      const [text = '', event = '', epoch = '', before = ''] = ['e', 'i', 'p', 'b'].map((name) => values.get(name))
      return { seq: Number.parseInt(id, 10), text, id: event, epoch, before }
    })
  }
}

function script(name: string): RedisScript {
  return loadScript(new URL('./history.lua', import.meta.url), new URL(`./${name}.lua`, import.meta.url))
}

function evidence({ seen, newEpoch }: { seen: Seen; newEpoch: string }): string[] {
  return [newEpoch, seen.epoch, String(seen.seq), seen.id]
}

function texts(reply: RedisReply): string[] {
  return Array.isArray(reply) ? (reply as string[]) : []
}
