import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { errorCode } from '../core/errors.ts'
import { toJson } from '../core/json.ts'
import type { Metrics } from '../core/metrics.ts'
import { AgentConfigError } from './errors.ts'

export interface HealthAnswer {
  readonly ok: boolean
  /** Whatever helps a person. */
  readonly detail: Readonly<Record<string, unknown>>
}

export interface HealthPages {
  /** Whether the agent does its work at all: its loop answers and its spool can be written. */
  readonly healthz: () => HealthAnswer
  /** Whether it can see and be heard: the sources are reachable, and the API is or not much waits for it. */
  readonly readyz: () => HealthAnswer
  readonly metrics: Metrics
}

/** `/healthz`, `/readyz` and `/metrics` of one agent. Source: monitors.md 11.3, 12.7. */
export class HealthServer {
  readonly #server: Server
  /** Where it listens. */
  readonly address: string

  private constructor(server: Server) {
    this.#server = server
    const { address, port } = server.address() as AddressInfo
    this.address = `${address.includes(':') ? `[${address}]` : address}:${port}`
  }

  /**
   * @param listen `address:port`, or `0` for no server at all
   * @throws AgentConfigError when it cannot listen there
   */
  static async start(listen: string, pages: HealthPages): Promise<HealthServer | undefined> {
    if (listen === '0') return undefined
    const { host, port } = parseListen(listen)
    const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
      void answer(request.url ?? '', response, pages)
    })
    server.listen({ host, port })
    try {
      await once(server, 'listening')
    } catch (error) {
      throw new AgentConfigError(
        `[metrics] listen is ${listen}, where this agent cannot listen (${errorCode(error) ?? 'unknown reason'}). ` +
          `Choose another address, or 0 for none.`,
        { cause: error },
      )
    }
    return new HealthServer(server)
  }

  async stop(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }
}

async function answer(url: string, response: ServerResponse, { healthz, readyz, metrics }: HealthPages): Promise<void> {
  const path = url.split('?')[0]
  if (path === '/metrics') {
    response.setHeader('content-type', metrics.registry.contentType)
    response.end(await metrics.text())
    return
  }
  const page = path === '/healthz' ? healthz : path === '/readyz' ? readyz : undefined
  const { ok, detail } = page?.() ?? { ok: false, detail: { error: 'try /healthz, /readyz or /metrics' } }
  response.statusCode = ok ? 200 : page === undefined ? 404 : 503
  response.setHeader('content-type', 'application/json')
  response.end(`${toJson({ ok, ...detail })}\n`)
}

function parseListen(listen: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(listen) ?? []
  if (host === '' || Number(port) > 65_535 || port === '') {
    throw new AgentConfigError(`[metrics] listen is "${listen}"; write address:port, or 0 for none.`)
  }
  return { host, port: Number(port) }
}
