import { SystemClock } from '../core/clock.ts'
import { ApiVersions } from './api-version.ts'
import { ComputeHosts } from './compute-host.ts'
import { Events } from './events.ts'
import { Extensions } from './extension.ts'
import { Fences } from './fence.ts'
import { Hosts } from './host.ts'
import { Notifications } from './notification.ts'
import { Pools } from './pool/pools.ts'
import { Recoveries } from './recovery.ts'
import { Segments } from './segment.ts'
import { Transport, type TransportOptions } from './transport.ts'
import { Vmoves } from './vmove.ts'
import { Webhooks } from './webhook.ts'

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
  readonly computeHosts: ComputeHosts
  readonly events: Events
  readonly webhooks: Webhooks
  readonly pools: Pools
  readonly transport: Transport
}

export type ClientOptions = TransportOptions

/**
 * A client for one server. It keeps no connection of its own, so there is nothing to close.
 *
 * @throws InvalidInputError when the endpoint is no http or https address
 */
export function createClient(options: ClientOptions): MainstayClient {
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
    computeHosts: new ComputeHosts(transport),
    events: new Events(transport),
    webhooks: new Webhooks(transport),
    pools: new Pools(transport, options.clock ?? new SystemClock()),
    transport,
  }
}
