import { describe, expect, test } from 'vitest'
import { describeDomainState, DomainState, PausedReason, RunningReason, ShutoffReason } from './domain-state.ts'
import { LibvirtErrorCode, libvirtErrorName } from './error-codes.ts'

describe('states in words', () => {
  test.each([
    [{ state: DomainState.RUNNING, reason: RunningReason.BOOTED }, 'running (booted)'],
    [{ state: DomainState.PAUSED, reason: PausedReason.IOERROR }, 'paused (I/O error)'],
    [{ state: DomainState.SHUTOFF, reason: ShutoffReason.CRASHED }, 'shut off (crashed)'],
    [{ state: DomainState.SHUTOFF, reason: 99 }, 'shut off (reason 99)'],
    [{ state: 42, reason: 0 }, 'state 42 (reason 0)'],
  ])('%j is "%s"', (state, words) => {
    expect(describeDomainState(state)).toBe(words)
  })
})

describe('error numbers', () => {
  test('each number has one name, and each name is found by its number', () => {
    const entries = Object.entries(LibvirtErrorCode)
    expect(new Set(entries.map(([, code]) => code)).size).toBe(entries.length)
    expect(entries.filter(([name, code]) => libvirtErrorName(code) !== name)).toEqual([])
  })

  test('a number that nobody knows has no name', () => {
    expect(libvirtErrorName(4711)).toBeUndefined()
  })
})
