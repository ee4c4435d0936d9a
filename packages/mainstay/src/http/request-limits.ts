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
    await places.take()
    const give = once(() => places.give())
    givers.set(request, give)
    reply.raw.once('close', give)
    return undefined
  })
}

const givers = new WeakMap<FastifyRequest, () => void>()

/** An answer without an end does not count as a request that is worked on: others need its place. */
export function giveUpPlace(request: FastifyRequest): void {
  givers.get(request)?.()
}

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (!done) work()
    done = true
  }
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

/** So many places; whoever finds none waits for one, first come, first served. */
class Places {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  async take(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1
      return
    }
    await new Promise<void>((resolve) => void this.#waiting.push(resolve))
  }

  give(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free += 1
    else next()
  }
}
