import { describe, expect, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import { bridgeRedisFromUrl } from './bridge-redis.ts'

describe('where Redis is', () => {
  test.each([
    ['redis://cache', { host: 'cache', port: 6379, db: 0 }],
    ['redis://cache:6380/2', { host: 'cache', port: 6380, db: 2 }],
    ['redis://:p%40ss@[::1]:6379/', { host: '::1', port: 6379, db: 0, password: 'p@ss' }],
    ['rediss://me:secret@cache/1', { host: 'cache', db: 1, username: 'me', password: 'secret', tls: true }],
  ])('%s', (url, settings) => {
    expect(bridgeRedisFromUrl(url)).toMatchObject(settings)
  })

  test.each(['', 'cache:6379', 'http://cache', 'redis://', 'redis://cache/x', 'redis://cache/123456'])(
    '"%s" is no address',
    (url) => {
      expect(() => bridgeRedisFromUrl(url)).toThrow(InvalidInputError)
    },
  )
})
