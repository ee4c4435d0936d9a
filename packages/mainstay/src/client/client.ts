import { ApiVersions } from './api-version.ts'
import { Extensions } from './extension.ts'
import { Fences } from './fence.ts'
import { Hosts } from './host.ts'
import { Notifications } from './notification.ts'
import { Recoveries } from './recovery.ts'
import { Segments } from './segment.ts'
import { Transport, type TransportOptions } from './transport.ts'
import { Vmoves } from './vmove.ts'

/** Everything that a Mainstay server can be asked, by resource. Works in Node and in browsers. */
export interface MainstayClient {
  readonly versions: ApiVersions
  readonly extensions: Extensions
  readonly segments: Segments
  readonly hosts: Hosts
  readonly notifications: Notifications
  readonly vmoves: Vmoves
  readonly recoveries: Recoveries
  readonly fences: Fences
  readonly transport: Transport
}

/**
 * A client for one server. It keeps no connection of its own, so there is nothing to close.
 *
 * @throws InvalidInputError when the endpoint is no http or https address
 */
export function createClient(options: TransportOptions): MainstayClient {
  const transport = new Transport(options)
  return {
    versions: new ApiVersions(transport),
    extensions: new Extensions(transport),
    segments: new Segments(transport),
    hosts: new Hosts(transport),
    notifications: new Notifications(transport),
    vmoves: new Vmoves(transport),
    recoveries: new Recoveries(transport),
    fences: new Fences(transport),
    transport,
  }
}
