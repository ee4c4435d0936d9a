import type { Clock } from '../../core/clock.ts'
import type { Publish } from '../../core/event.ts'
import type { Ids } from '../../core/ids.ts'
import type { Logger } from '../../core/logging.ts'
import type { HostName } from '../compute.ts'

/** Tells people that a guest may run twice: once for each time that it comes to be so. */
export class TwoCopiesAlarm {
  readonly #clock: Clock
  readonly #ids: Ids
  readonly #logger: Logger
  readonly #publish: Publish | undefined
  readonly #raised = new Set<string>()

  constructor(options: { clock: Clock; ids: Ids; logger: Logger; publish: Publish | undefined }) {
    this.#clock = options.clock
    this.#ids = options.ids
    this.#logger = options.logger
    this.#publish = options.publish
  }

  raise({ uuid, name, host, because }: { uuid: string; name: string; host: HostName; because: string }): void {
    if (this.#raised.has(`${uuid} ${host}`)) return
    this.#raised.add(`${uuid} ${host}`)
    const text =
      `Guest ${uuid} (${name}) may run twice: ${because}. Nothing was stopped, for both copies may hold data. ` +
      `Look at both hosts and stop the wrong copy.`
    this.#logger.error({ instance: uuid, host }, text)
    this.#publish?.publish({
      id: this.#ids.ordered(),
      type: 'compute.instance.two_copies',
      severity: 'critical',
      occurredAt: this.#clock.now(),
      nodeName: host,
      resourceId: uuid,
      projectId: null,
      correlationId: null,
      payload: { instance: uuid, name, host, because, message: text },
    })
  }

  clear(uuid: string, host: HostName): void {
    this.#raised.delete(`${uuid} ${host}`)
  }
}
