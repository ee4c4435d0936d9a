import type { ServerResponse } from 'node:http'

import type { Clock } from '../../core/clock.ts'
import { toJson } from '../../core/json.ts'
import type { HttpApp } from '../../http/index.ts'
import type { ChangeWatch } from '../change-watch.ts'
import { toEvent, type PoolNews } from '../change.ts'
import { callerOf, maySee, type Caller } from './access.ts'

/** How often something is sent although nothing happens, so that whoever is between does not cut the line. */
const HEARTBEAT_MS = 15_000

/** Bytes that may wait for a slow client; beyond them it is told of a gap. */
const MOST_WAITING = 1024 * 1024

export interface ChangeRouteParts {
  readonly watch: ChangeWatch
  readonly clock: Clock
}

/**
 * The changes of the pool as server-sent events, from now on: each is named like its event (`pool.vm.acquired`), `gap` says
 * that some were not seen. What must not be missed is read from the event stream, which keeps a history.
 *
 * Source: vm-pool.md C15.
 */
export function changeRoutes(app: HttpApp, { watch, clock }: ChangeRouteParts): void {
  app.get(
    '/api/v1/pools/changes',
    { schema: { description: 'Changes of machines and requests from now on, as text/event-stream.' } },
    (request, reply) => {
      const caller = callerOf(request)
      reply.hijack()
      const { raw } = reply
      raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      })
      raw.write(': the changes of the pool\n\n')
      follow(raw, caller, { watch, clock })
    },
  )
}

function follow(raw: ServerResponse, caller: Caller, { watch, clock }: ChangeRouteParts): void {
  let behind = false
  const send = (text: string): void => {
    if (raw.writableLength > MOST_WAITING) {
      behind = true
      return
    }
    if (behind) raw.write(frameOf({ kind: 'gap' }))
    behind = false
    raw.write(text)
  }
  const listening = watch.on((news) => {
    if (news.kind === 'gap' || maySee(caller, news.change.owner)) send(frameOf(news))
  })
  let heartbeat: Disposable | undefined
  const beat = (): void => {
    heartbeat = clock.after(HEARTBEAT_MS, () => {
      send(': alive\n\n')
      beat()
    })
  }
  beat()
  raw.once('close', () => {
    listening[Symbol.dispose]()
    heartbeat?.[Symbol.dispose]()
  })
}

function frameOf(news: PoolNews): string {
  if (news.kind === 'gap') return 'event: gap\ndata: {}\n\n'
  const { id, type, payload, occurredAt } = toEvent(news.change)
  return `event: ${type}\ndata: ${toJson({ id, type, at: occurredAt, ...payload })}\n\n`
}
