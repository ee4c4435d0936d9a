import { describe, expect, test } from 'vitest'

import { DEFAULT_BINDINGS, OSISM_BINDINGS, OSISM_QUEUE_PREFIX, notificationSources } from './notification-source.ts'

const SOURCES = notificationSources(OSISM_BINDINGS, OSISM_QUEUE_PREFIX)
const IRONIC = SOURCES.find(({ service }) => service === 'ironic')!

describe('what is bound (event-stream 8.1)', () => {
  test('E-107 the reference knows six services', () => {
    expect(SOURCES.map(({ service }) => service)).toEqual(['ironic', 'nova', 'neutron', 'cinder', 'keystone', 'glance'])
  })

  test.each([
    ['E-108', 'ironic'],
    ['E-109', 'nova'],
    ['E-110', 'neutron'],
    ['E-111', 'cinder'],
    ['E-112', 'keystone'],
    ['E-113', 'glance'],
  ])('%s %s has its exchange, key and queue', (_case, service) => {
    expect(SOURCES).toContainEqual({
      service,
      exchange: service,
      routingKeys: [`${service}_versioned_notifications.info`],
      queue: `osism-listener-${service}`,
    })
  })

  test('E-114 the names that the reference exports for ironic are those of its entry', () => {
    const [exchange, routingKey, queue] = ['ironic', 'ironic_versioned_notifications.info', 'osism-listener-ironic']
    expect(IRONIC).toMatchObject({ exchange, routingKeys: [routingKey], queue })
  })

  test('what services really send is bound by itself, one queue for each exchange (8.6)', () => {
    expect(
      notificationSources(DEFAULT_BINDINGS, 'mainstay').map((source) => [source.queue, source.routingKeys]),
    ).toEqual([
      ['mainstay-ironic', ['ironic_versioned_notifications.*']],
      ['mainstay-nova', ['versioned_notifications.*', 'notifications.*']],
      ['mainstay-neutron', ['notifications.*']],
      ['mainstay-cinder', ['notifications.*']],
      ['mainstay-cinder-openstack', ['notifications.*']],
      ['mainstay-glance', ['notifications.*']],
      ['mainstay-keystone', ['notifications.*']],
      ['mainstay-masakari', ['versioned_notifications.*']],
    ])
  })
})
