import { describe, expect, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { ShutdownError } from '../../core/errors.ts'
import { silentLogger } from '../../core/logging.ts'
import type { ListedMachine } from '../rules/orphans.ts'
import { VmDescriptor } from './descriptor.ts'
import { VmmKeys } from './keys.ts'
import { DEFAULT_VMM_OPTIONS } from './options.ts'
import { cleanUpOrphans, cleanUpPeriodically } from './orphan-cleaner.ts'

const NOW_S = 10_000
const signal = new AbortController().signal

function fakeCloud(machines: readonly ListedMachine[], failing: readonly string[] = []) {
  const left = new Set(machines.map(({ name }) => name))
  let running = 0
  const seen = { most: 0 }
  const source = {
    list: async () => machines,
    destroy: async ({ name }: ListedMachine) => {
      running += 1
      seen.most = Math.max(seen.most, running)
      await Promise.resolve()
      running -= 1
      if (failing.includes(name)) throw new Error(`${name} is stuck`)
      left.delete(name)
    },
  }
  return { source, left, seen }
}

const clock = new ManualClock(NOW_S * 1000)
const vm = (vm_name: string, state: string): VmDescriptor =>
  VmDescriptor.fromDict({ vm_name, vm_ip: '10.0.0.1', group: 0, state }, new VmmKeys('p:'))
const manager = {
  getAllVm: async () => [vm('Known-Ready', 'ready'), vm('known-busy', 'in_use')],
  getAllNames: async () => ['Known-Ready', 'known-busy', 'half-known'],
}
const dependencies = { manager, clock, logger: silentLogger() }
const old = (name: string): ListedMachine => ({ name, inError: false, createdAt: 0 })

describe('the clean-up of orphans (vm-pool.md A10)', () => {
  test('destroys what is unknown and old or broken, and nothing else; one that fails does not stop the others', async () => {
    const young = { name: 'young', inError: false, createdAt: NOW_S - 600 }
    const broken = { name: 'broken', inError: true, createdAt: NOW_S }
    const machines = [
      old('stuck'),
      old('orphan'),
      young,
      broken,
      old('KNOWN-READY'),
      old('known-busy'),
      old('half-known'),
    ]
    const { source, left } = fakeCloud(machines, ['stuck'])
    const report = await cleanUpOrphans(DEFAULT_VMM_OPTIONS, { ...dependencies, source }, { alsoReady: false, signal })
    expect([...left].sort()).toEqual(['KNOWN-READY', 'half-known', 'known-busy', 'stuck', 'young'])
    expect(report.destroyed.map(({ machine, because }) => [machine.name, because])).toEqual([
      ['orphan', 'unknown'],
      ['broken', 'error'],
    ])
    expect(report.failed.map(({ machine }) => machine.name)).toEqual(['stuck'])
  })

  test('on request takes the ready ones that the pool knows', async () => {
    const { source, left } = fakeCloud([old('known-ready'), old('known-busy')])
    await cleanUpOrphans(DEFAULT_VMM_OPTIONS, { ...dependencies, source }, { alsoReady: true, signal })
    expect([...left]).toEqual(['known-busy'])
  })

  test('works on as many at once as its option says', async () => {
    const { source, left, seen } = fakeCloud(Array.from({ length: 100 }, (_, index) => old(`orphan${index}`)))
    const options = { ...DEFAULT_VMM_OPTIONS, orphanParallelism: 7 }
    await cleanUpOrphans(options, { ...dependencies, source }, { alsoReady: false, signal })
    expect(left.size).toBe(0)
    expect(seen.most).toBe(7)
  })

  test('once per period, until it is told to stop, whatever fails', async () => {
    const stopping = new AbortController()
    const manual = new ManualClock(NOW_S * 1000)
    const { source } = fakeCloud([])
    const list = vi.fn(source.list).mockRejectedValueOnce(new Error('API error'))
    const periodic = cleanUpPeriodically(
      DEFAULT_VMM_OPTIONS,
      { ...dependencies, clock: manual, source: { ...source, list } },
      { signal: stopping.signal },
    )
    await manual.advance(599_000)
    expect(list).not.toHaveBeenCalled()
    await manual.advance(601_000)
    expect(list).toHaveBeenCalledTimes(2)
    stopping.abort(new ShutdownError())
    await expect(periodic).rejects.toThrow(ShutdownError)
  })

  test('destroys nothing when the listing fails', async () => {
    const { source, left } = fakeCloud([old('orphan')])
    const failing = { ...source, list: async () => Promise.reject(new Error('API error')) }
    const cleaning = cleanUpOrphans(
      DEFAULT_VMM_OPTIONS,
      { ...dependencies, source: failing },
      { alsoReady: false, signal },
    )
    await expect(cleaning).rejects.toThrow('API error')
    expect(left.size).toBe(1)
  })
})
