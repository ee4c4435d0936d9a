import { LifecycleEvent } from '@mainstay/libvirt-rpc'
import { describe, expect, test } from 'vitest'

import { Repeats } from './repeats.ts'

const failed = { event: 'LIFECYCLE', virDomainEvent: 'STOPPED_FAILED' }
const reboot = { event: 'REBOOT', virDomainEvent: 'UNKNOWN' }
const at = (nowMs: number): { nowMs: number; windowMs: number } => ({ nowMs, windowMs: 10_000 })

describe('repetitions (IM-6)', () => {
  test('the three reboot events of one reset are one report', () => {
    const repeats = new Repeats()
    expect([0, 90, 200].map((ms) => repeats.isRepeat('u', reboot, at(ms)))).toEqual([false, true, true])
  })

  test('a fact that goes on is told once in each window, counted from its report', () => {
    const repeats = new Repeats()
    const told = [0, 4_000, 8_000, 9_999, 10_000, 14_000, 20_000].map((ms) => repeats.isRepeat('u', reboot, at(ms)))
    expect(told).toEqual([false, true, true, true, false, true, false])
  })

  test('other guests and other facts are no repetition', () => {
    const repeats = new Repeats()
    expect(repeats.isRepeat('u', failed, at(0))).toBe(false)
    expect(repeats.isRepeat('v', failed, at(0))).toBe(false)
    expect(repeats.isRepeat('u', reboot, at(0))).toBe(false)
    expect(repeats.isRepeat('u', failed, at(1))).toBe(true)
  })

  test('the end of another life is news, whenever it comes', () => {
    const repeats = new Repeats()
    repeats.isRepeat('u', failed, at(0))
    repeats.isRepeat('u', reboot, at(0))
    repeats.noteLifecycle('u', LifecycleEvent.RESUMED)
    expect(repeats.isRepeat('u', failed, at(400))).toBe(true)
    repeats.noteLifecycle('u', LifecycleEvent.STARTED)
    expect(repeats.isRepeat('u', failed, at(500))).toBe(false)
    expect(repeats.isRepeat('u', reboot, at(500))).toBe(true)
  })
})
