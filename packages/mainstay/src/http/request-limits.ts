import type { FastifyReply, FastifyRequest } from 'fastify'

import type { HttpApp } from './app.ts'

export interface RequestLimits {
  /** The longest header line and request line, in bytes [max_header_line]. */
  readonly maxHeaderLineBytes: number
  /** The most requests that are worked on at the same time; others wait [default_pool_size]. */
  readonly maxConcurrentRequests: number
}

/** Adds the limits that every request passes first, whoever serves it. Source: ha-api.md 20.1. */
export function limitRequests(app: HttpApp, limits: RequestLimits): void {
  const places = new Places(limits.maxConcurrentRequests)
  app.addHook('onRequest', async (request, reply) => {
    const status = tooLong(request, limits.maxHeaderLineBytes)
    if (status !== undefined) return await refuse(reply, status)
    const place = places.ask()
    givers.set(request, place.giveUp)
    // Before anything is waited for: a client that leaves while it waits is told of only once.
    reply.raw.once('close', place.giveUp)
    await place.taken
    // Nobody is there any more to be answered.
    return reply.raw.closed ? reply.hijack() : undefined
  })
}

const givers = new WeakMap<FastifyRequest, () => void>()

/** An answer without an end does not count as a request that is worked on: others need its place. */
export function giveUpPlace(request: FastifyRequest): void {
  givers.get(request)?.()
}

/** 414 for the request line, 431 for a header line. */
function tooLong({ raw }: FastifyRequest, maxBytes: number): number | undefined {
  if ((raw.url?.length ?? 0) + (raw.method?.length ?? 0) + ' HTTP/1.1'.length + 1 > maxBytes) return 414
  for (let index = 0; index + 1 < raw.rawHeaders.length; index += 2) {
    const line = (raw.rawHeaders[index]?.length ?? 0) + ': '.length + (raw.rawHeaders[index + 1]?.length ?? 0)
    if (line > maxBytes) return 431
  }
  return undefined
}

async function refuse(reply: FastifyReply, status: number): Promise<FastifyReply> {
  return await reply.code(status).header('Connection', 'close').send()
}

interface Place {
  /** Resolves when the place is taken, or given up. */
  readonly taken: Promise<void>
  /** Gives the place to whoever waits longest, or ends the wait for it. A second call does nothing. */
  readonly giveUp: () => void
}

/**
 * So many places; whoever finds none waits for one, first come, first served.
 *
 *   waiting ──a place is given──▶ taken ──giveUp──▶ over
 *       └───────────────────giveUp───────────────────▲
 *
 * Invariant: places that are free and places that are taken are always as many as there were at first.
 */
class Places {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  ask(): Place {
    const { promise, resolve } = Promise.withResolvers<void>()
    let state: 'waiting' | 'taken' | 'over' = 'waiting'
    const take = (): void => {
      state = 'taken'
      resolve()
    }
    if (this.#free > 0) {
      this.#free -= 1
      take()
    } else {
      this.#waiting.add(take)
    }
    const giveUp = (): void => {
      if (state === 'taken') this.#give()
      this.#waiting.delete(take)
      state = 'over'
      resolve()
    }
    return { taken: promise, giveUp }
  }

  #give(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free += 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
