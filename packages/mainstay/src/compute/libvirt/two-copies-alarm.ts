import type { HostName } from '../compute.ts'
import type { GuestNotices } from './guest-notices.ts'

/** Tells people that a guest may run twice: once for each time that it comes to be so. */
export class TwoCopiesAlarm {
  readonly #notices: GuestNotices
  readonly #raised = new Set<string>()

  constructor(notices: GuestNotices) {
    this.#notices = notices
  }

  raise({ uuid, name, host, because }: { uuid: string; name: string; host: HostName; because: string }): void {
    if (this.#raised.has(`${uuid} ${host}`)) return
    this.#raised.add(`${uuid} ${host}`)
    const text =
      `Guest ${uuid} (${name}) may run twice: ${because}. Nothing was stopped, for both copies may hold data. ` +
      `Look at both hosts and stop the wrong copy.`
    this.#notices.tell({ type: 'compute.instance.two_copies', severity: 'critical', uuid, name, host, because, text })
  }

  clear(uuid: string, host: HostName): void {
    this.#raised.delete(`${uuid} ${host}`)
  }
}
