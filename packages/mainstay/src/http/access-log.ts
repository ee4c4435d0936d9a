import type { FastifyReply, FastifyRequest } from 'fastify'

import type { Logger } from '../core/logging.ts'
import type { HttpApp } from './app.ts'

/** The form of a line. Source: ha-api.md 20.1, [wsgi_log_format]. */
export const DEFAULT_ACCESS_LOG_FORMAT =
  '%(client_ip)s "%(request_line)s" status: %(status_code)s len: %(body_length)s time: %(wall_seconds).7f'

export interface Access {
  readonly client_ip: string
  readonly date_time: string
  readonly request_line: string
  readonly status_code: number
  readonly body_length: number
  readonly wall_seconds: number
}

/**
 * Fills a template in the printf style that operators have in their configuration: `%(name)s`, `%(name)d`,
 * `%(name).3f`; `%%` is the sign itself. A name that is not known stays as it is.
 */
export function formatAccess(template: string, access: Access): string {
  const values = new Map(Object.entries(access))
  return template.replace(
    /%%|%\((\w+)\)(?:\.(\d+))?([sdf])/g,
    (all, name: string | undefined, digits: string | undefined, kind: string) => {
      if (name === undefined) return '%'
      const value = values.get(name)
      if (value === undefined) return all
      if (kind === 'f' && typeof value === 'number') return value.toFixed(Number(digits ?? '6'))
      return kind === 'd' && typeof value === 'number' ? String(Math.trunc(value)) : String(value)
    },
  )
}

/** Writes one line for each request that was answered. */
export function logAccess(
  app: HttpApp,
  { logger, format, now }: { logger: Logger; format: string; now: () => string },
): void {
  app.addHook('onResponse', async (request, reply) => {
    logger.info(formatAccess(format, accessOf(request, reply, now())))
  })
}

function accessOf(request: FastifyRequest, reply: FastifyReply, dateTime: string): Access {
  const { raw } = request
  return {
    client_ip: raw.socket.remoteAddress ?? '-',
    date_time: dateTime,
    request_line: `${raw.method} ${request.originalUrl} HTTP/${raw.httpVersion}`,
    status_code: reply.raw.statusCode,
    body_length: Number(reply.raw.getHeader('content-length') ?? reply.getHeader('content-length') ?? 0),
    wall_seconds: reply.elapsedTime / 1000,
  }
}
