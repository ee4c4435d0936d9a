import type { ServeClient } from '../support/serve-client.ts'

/** One failure, how it is brought about and what must be true in the end. */
export interface Scenario {
  readonly name: string
  readonly recoveryMethod: 'auto' | 'reserved_host'
  /** More options of the server. */
  readonly set?: readonly string[]
  /** Makes something fail and reports it, as a monitor would. @returns what must become of it */
  readonly fail: (server: ServeClient) => Promise<Failure>
}

export interface Failure {
  readonly notification: string
  /** Guests that must run again, each started exactly once. */
  readonly guests: readonly string[]
  /** The host on which none of them may run, or null when they are to run where they were. */
  readonly notOn: string | null
}

export interface NotificationBody {
  readonly notification: { readonly notification_uuid: string; readonly status: string }
}

interface HostBody {
  readonly guests: readonly { readonly uuid: string }[]
}

interface SegmentBody {
  readonly segment: { readonly uuid: string }
}

const SOURCE = 'host-001'
const RESERVED = 'host-003'

async function report(server: ServeClient, type: string, payload: Record<string, string>): Promise<string> {
  const notification = { type, hostname: SOURCE, generated_time: new Date().toISOString(), payload }
  const answer = await server.request('POST', '/v1/notifications', { notification })
  if (answer.status !== 202) throw new Error(`the notification was answered with ${answer.status}`)
  return (answer.body as NotificationBody).notification.notification_uuid
}

async function guestsOf(server: ServeClient, host: string): Promise<string[]> {
  const { body } = await server.request('GET', `/api/v1/simulation/hosts/${host}`)
  return (body as HostBody).guests.map(({ uuid }) => uuid)
}

async function hostDies(server: ServeClient): Promise<Failure> {
  const guests = await guestsOf(server, SOURCE)
  await server.request('POST', `/api/v1/simulation/hosts/${SOURCE}/kill`)
  const payload = { event: 'STOPPED', host_status: 'NORMAL', cluster_status: 'OFFLINE' }
  return { notification: await report(server, 'COMPUTE_HOST', payload), guests, notOn: SOURCE }
}

async function guestDies(server: ServeClient): Promise<Failure> {
  const [guest] = await guestsOf(server, SOURCE)
  await server.request('POST', `/api/v1/simulation/guests/${guest}/kill`)
  const payload = { event: 'LIFECYCLE', instance_uuid: guest!, vir_domain_event: 'STOPPED_FAILED' }
  return { notification: await report(server, 'VM', payload), guests: [guest!], notOn: null }
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'host-failure auto', recoveryMethod: 'auto', fail: hostDies },
  { name: 'host-failure reserved_host', recoveryMethod: 'reserved_host', fail: hostDies },
  {
    name: 'host-failure auto, evacuations by the process',
    recoveryMethod: 'auto',
    // As with libvirt: an evacuation that is under way dies with the process, and only its repeat ends it.
    set: ['compute.simulated_evacuations_by=process'],
    fail: hostDies,
  },
  { name: 'instance-failure', recoveryMethod: 'auto', fail: guestDies },
]

/** The segment and hosts that the scenarios play in. */
export async function prepare(server: ServeClient, { recoveryMethod }: Scenario): Promise<void> {
  const segment = { name: 'crash', recovery_method: recoveryMethod, service_type: 'COMPUTE' }
  const created = await server.request('POST', '/v1/segments', { segment })
  const { uuid: segmentUuid } = (created.body as SegmentBody).segment
  for (const name of [SOURCE, 'host-002', RESERVED]) {
    const host = { name, type: 'COMPUTE', control_attributes: 'SSH', reserved: name === RESERVED }
    const answer = await server.request('POST', `/v1/segments/${segmentUuid}/hosts`, { host })
    if (answer.status !== 201) throw new Error(`host ${name} was answered with ${answer.status}`)
  }
}
