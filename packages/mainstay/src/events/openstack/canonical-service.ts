import type { JsonObject } from '../../core/json.ts'
import { serviceOf } from '../filter/index.ts'

/** What says which service an event comes from. */
export interface ServiceHints {
  readonly eventType: string
  readonly payload: JsonObject
  readonly publisherId: string | null
}

/** Versioned notifications name their service in the payload. */
const BY_OBJECT_KEY: readonly (readonly [key: string, service: string])[] = [
  'ironic',
  'nova',
  'neutron',
  'cinder',
  'glance',
  'keystone',
  'masakari',
].map((service) => [`${service}_object.data`, service])

/** By first segment of the type, for what it means with all services but those that say otherwise. */
const BY_TYPE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ironic: 'baremetal ironic',
    nova:
      'compute nova instance service flavor aggregate compute_task server_group keypair scheduler libvirt metrics ' +
      'image_cache',
    neutron:
      'network neutron port subnet subnetpool router floatingip security_group security_group_rule address_scope ' +
      'address_group trunk agent dhcp_agent l3_agent',
    cinder: 'volume cinder snapshot backup group group_snapshot volume_type capacity',
    glance: 'image glance',
    keystone: 'identity keystone',
    masakari: 'host segment notification masakari',
  }).flatMap(([service, types]) => types.split(' ').map((type) => [type, service] as const)),
)

/** The beginning of `publisher_id`, before its first dot, colon or dash. */
const BY_PUBLISHER: ReadonlyMap<string, string> = new Map([
  ['ironic', 'ironic'],
  ['nova', 'nova'],
  ['compute', 'nova'],
  ['conductor', 'nova'],
  ['network', 'neutron'],
  ['neutron', 'neutron'],
  ['volume', 'cinder'],
  ['snapshot', 'cinder'],
  ['backup', 'cinder'],
  ['cinder', 'cinder'],
  ['image', 'glance'],
  ['glance', 'glance'],
  ['identity', 'keystone'],
  ['keystone', 'keystone'],
  ['masakari', 'masakari'],
])

/**
 * The service that an event comes from, whatever its types are called: `nova` also for `compute.*` and `instance.*`.
 * Where nothing tells, the first segment of the type stands for it.
 *
 * Source: event-stream.md 8.6.
 */
export function canonicalService({ eventType, payload, publisherId }: ServiceHints): string {
  const named = BY_OBJECT_KEY.find(([key]) => Object.hasOwn(payload, key))
  if (named !== undefined) return named[1]
  const serviceType = serviceOf(eventType)
  const [publisher = ''] = (publisherId ?? '').split(/[.:-]/, 1)
  return BY_TYPE.get(serviceType) ?? BY_PUBLISHER.get(publisher) ?? serviceType
}
