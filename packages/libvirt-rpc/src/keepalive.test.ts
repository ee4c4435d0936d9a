import { describe, expect, test } from 'vitest'
import { Keepalive } from './keepalive.ts'
import { ManualTimers } from './manual-timers.ts'

function watched(options: { intervalMs: number; misses: number }) {
  const timers = new ManualTimers()
  const log: string[] = []
  const keepalive = new Keepalive({
    ...options,
    timers,
    sendPing: () => log.push(`${timers.now()} ping`),
    onDead: () => log.push(`${timers.now()} dead`),
  })
  return { timers, log, keepalive }
}

describe('keep-alive (IM-2)', () => {
  test('three unanswered pings five seconds apart: dead twenty seconds after the last sign of life', () => {
    const { timers, log, keepalive } = watched({ intervalMs: 5_000, misses: 3 })
    keepalive.start()
    timers.advance(60_000)
    expect(log).toEqual(['5000 ping', '10000 ping', '15000 ping', '20000 dead'])
    expect(timers.waiting).toBe(0)
  })

  test('anything heard starts the count again', () => {
    const { timers, log, keepalive } = watched({ intervalMs: 5_000, misses: 1 })
    keepalive.start()
    timers.advance(9_000)
    keepalive.heard()
    timers.advance(10_000)
    expect(log).toEqual(['5000 ping', '14000 ping', '19000 dead'])
  })

  test('a busy connection is never pinged', () => {
    const { timers, log, keepalive } = watched({ intervalMs: 5_000, misses: 3 })
    keepalive.start()
    for (let second = 0; second < 60; second++) {
      timers.advance(1_000)
      keepalive.heard()
    }
    expect(log).toEqual([])
  })

  test('nothing happens after the end', () => {
    const { timers, log, keepalive } = watched({ intervalMs: 5_000, misses: 3 })
    keepalive.start()
    timers.advance(6_000)
    keepalive.stop()
    timers.advance(60_000)
    expect(log).toEqual(['5000 ping'])
  })
})
