import type { Clock } from '../../core/clock.ts'
import type { MainstayEvent, Publish } from '../../core/event.ts'
import type { Ids } from '../../core/ids.ts'
import type { Logger } from '../../core/logging.ts'
import type { HostName } from '../compute.ts'

export interface GuestNotice {
  readonly type: `compute.instance.${string}`
  readonly severity: MainstayEvent['severity']
  readonly uuid: string
  readonly name: string
  readonly host: HostName
  /** For people: what is the case, and what to do. */
  readonly text: string
  /** Why it is so, for programs. */
  readonly because?: string
}

const LOG_LEVEL = { debug: 'debug', info: 'info', warning: 'warn', error: 'error', critical: 'error' } as const

/** Tells of guests what no command asked for: in the log and as an event. */
export class GuestNotices {
  readonly #clock: Clock
  readonly #ids: Ids
  readonly #logger: Logger
  readonly #publish: Publish | undefined

  constructor(options: { clock: Clock; ids: Ids; logger: Logger; publish: Publish | undefined }) {
    this.#clock = options.clock
    this.#ids = options.ids
    this.#logger = options.logger
    this.#publish = options.publish
  }

  tell({ type, severity, uuid, name, host, text, because }: GuestNotice): void {
    this.#logger[LOG_LEVEL[severity]]({ instance: uuid, host }, text)
    this.#publish?.publish({
      id: this.#ids.ordered(),
      type,
      severity,
      occurredAt: this.#clock.now(),
      nodeName: host,
      resourceId: uuid,
      projectId: null,
      correlationId: null,
      payload: { instance: uuid, name, host, ...(because === undefined ? {} : { because }), message: text },
    })
  }
}
