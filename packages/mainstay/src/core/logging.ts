import { pino, stdTimeFunctions, type DestinationStream, type Logger as PinoLogger } from 'pino'
import pretty from 'pino-pretty'

import { currentContext } from './context.ts'
import { maskSecrets, maskUrl } from './mask-secrets.ts'

export type Logger = PinoLogger

export interface LoggingOptions {
  /** The least severe level that is written. */
  readonly level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** `json` for machines, `pretty` for a terminal, `auto` looks whether standard error is one. */
  readonly format?: 'json' | 'pretty' | 'auto'
  /** Where lines go; standard error unless given. */
  readonly destination?: DestinationStream
}

/** A logger whose lines carry the request id and user of the current context and no secret. */
export function createLogger(options: LoggingOptions = {}): Logger {
  const { level = 'info', format = 'auto' } = options
  const terminal = format === 'pretty' || (format === 'auto' && process.stderr.isTTY)
  const destination =
    options.destination ?? (terminal ? pretty({ destination: 2, sync: true }) : pino.destination({ fd: 2, sync: true }))
  const logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      serializers: { err: maskSecrets },
      formatters: { log: maskMembersOf },
      // The text of a line, and what a formatter does not see.
      hooks: { streamWrite: maskUrl },
      mixin: () => {
        const context = currentContext()
        if (context === undefined) return {}
        const { requestId, userId, projectId } = context
        return { requestId, ...(userId === null ? {} : { userId }), ...(projectId === null ? {} : { projectId }) }
      },
    },
    destination,
  )
  return maskChildren(logger)
}

/** The logger has no hook for the members of its children, and those of grandchildren come through the same door. */
function maskChildren(logger: Logger): Logger {
  const { child } = logger as unknown as { child: (this: Logger, bindings: object, options?: object) => Logger }
  return Object.assign(logger, {
    child(this: Logger, bindings: object, options?: object): Logger {
      return child.call(this, maskMembersOf(bindings), options)
    },
  })
}

function maskMembersOf(members: object): Record<string, unknown> {
  return maskSecrets(members) as Record<string, unknown>
}

/** A logger that writes nothing. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' })
}

export { maskUrl }
