import { describe, expect, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import { parseBrokerAddress } from './broker-address.ts'

describe('where the broker is', () => {
  test.each([
    [
      'amqp://mq',
      { hosts: [{ host: 'mq', port: 5672 }], username: 'guest', password: 'guest', vhost: '/', tls: false },
    ],
    ['amqp://u:p%40@mq:5673/', { hosts: [{ host: 'mq', port: 5673 }], username: 'u', password: 'p@', vhost: '/' }],
    ['amqps://mq/nova', { hosts: [{ host: 'mq', port: 5671 }], vhost: 'nova', tls: true }],
    ['amqp://mq/%2Fnova', { vhost: '/nova' }],
    ['rabbit://u:p@[::1]:5672//', { hosts: [{ host: '::1', port: 5672 }], vhost: '/' }],
    ['rabbit://mq/?ssl=1', { hosts: [{ host: 'mq', port: 5671 }], tls: true }],
    [
      'rabbit://openstack:s:cret@h1:5672,openstack:other@h2:5673/',
      {
        hosts: [
          { host: 'h1', port: 5672 },
          { host: 'h2', port: 5673 },
        ],
        username: 'openstack',
        password: 's:cret',
      },
    ],
  ])('%s', (text, address) => {
    expect(parseBrokerAddress(text)).toMatchObject(address)
  })

  test.each(['', 'mq', 'http://mq', 'amqp://', 'amqp://mq:0', 'amqp://mq:99999', 'amqp://u:%E0%A4%A@mq', 'amqp://a b'])(
    '"%s" is no address',
    (text) => {
      expect(() => parseBrokerAddress(text)).toThrow(InvalidInputError)
    },
  )

  test('a refused address is shown without its password', () => {
    expect(() => parseBrokerAddress('amqp://u:hunter2@mq:0')).toThrow(/u:\*\*\*@mq/)
  })
})
