import { describe, expect, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import { SystemClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import { SeededRandom } from '../../core/random.ts'
import { openRedis } from './connection.ts'
import { reconnectPauseMs } from './reconnect-pause.ts'

const OPTIONS = { reconnectMinMs: 500, reconnectMaxMs: 30_000 }

describe('R8 the pause before a lost Redis is tried again', () => {
  test.each([
    [0, 500],
    [1, 1000],
    [2, 2000],
    [5, 16_000],
    [6, 30_000],
    [1000, 30_000],
  ])('R8 after %i failures is a random part of %i ms', (attempt, ceiling) => {
    expect(reconnectPauseMs(attempt, 0.5, OPTIONS)).toBe(ceiling / 2)
    expect(reconnectPauseMs(attempt, 0.999_999, OPTIONS)).toBeCloseTo(ceiling, -1)
    expect(reconnectPauseMs(attempt, 0, OPTIONS)).toBe(20)
  })
})

test.each(['localhost:6379', 'http://host', 'redis://', 'redis://host/db', 'redis://user:geheim@host:1/x'])(
  'an address that is none of Redis is refused, without its password: %s',
  (url) => {
    const opening = (): unknown =>
      openRedis({ url, clock: new SystemClock(), random: new SeededRandom(1), logger: silentLogger() })
    expect(opening).toThrow(InvalidInputError)
    expect(opening).toThrow(/^(?!.*geheim).*write redis:\/\/user:password@host:port\/db/)
  },
)
