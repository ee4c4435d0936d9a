import { EventEmitter } from 'node:events'

import { expect, test } from 'vitest'

import { Signals, type SignalProcess } from './signals.ts'

/** A process in memory: what it is told by the system comes as an event, and what ends it is kept. */
class MemoryProcess extends EventEmitter implements SignalProcess {
  readonly pid = 7
  readonly killed: string[] = []
  readonly sent: unknown[] = []
  readonly send?: (message: unknown) => void

  constructor({ launched }: { launched: boolean }) {
    super()
    if (launched) this.send = (message) => void this.sent.push(message)
  }

  kill(pid: number, signal: string): void {
    this.killed.push(`${pid} ${signal}`)
  }

  /** What the system does: whoever listens is told; without anybody the process ends. */
  signal(name: string): void {
    if (!this.emit(name, name)) this.kill(this.pid, name)
  }
}

test.each([
  // ways in the order of their coming: d to the process itself, h handed on; how often it was heard after each
  ['d', [1]],
  ['h', [1]],
  ['dh', [1, 1]],
  ['hd', [1, 1]],
  ['dhdh', [1, 1, 2, 2]],
  ['hddh', [1, 1, 2, 2]],
  ['ddhh', [1, 2, 2, 2]],
  ['hhh', [1, 2, 3]],
  ['ddd', [1, 2, 3]],
])('a signal that comes by %s is heard %j times', (ways, expected) => {
  const process = new MemoryProcess({ launched: true })
  let heard = 0
  using _listening = new Signals(process).on('SIGHUP', () => (heard += 1))
  const seen = Array.from(ways, (way) => {
    if (way === 'd') process.signal('SIGHUP')
    else process.emit('message', { signal: 'SIGHUP' })
    return heard
  })
  expect(seen).toEqual(expected)
  expect(process.killed).toEqual([])
})

test.each([
  ['dh', 0],
  ['hd', 0],
  ['dhd', 1],
  ['hdh', 1],
  ['hh', 1],
  ['dd', 1],
])('after the first one nobody listens: %s ends the process %i times', (ways, ends) => {
  const process = new MemoryProcess({ launched: true })
  const listening = new Signals(process).on('SIGTERM', () => listening[Symbol.dispose]())
  for (const way of ways) {
    if (way === 'd') process.signal('SIGTERM')
    else process.emit('message', { signal: 'SIGTERM' })
  }
  expect(process.killed).toEqual(Array.from({ length: ends }, () => '7 SIGTERM'))
})

test('what nobody listens to is left to the system, and each signal is counted by itself', () => {
  const process = new MemoryProcess({ launched: true })
  const heard: string[] = []
  const signals = new Signals(process)
  expect(process.eventNames()).toEqual(['message'])
  using _interrupt = signals.on('SIGINT', (signal) => void heard.push(signal))
  process.emit('message', { signal: 'SIGINT' })
  process.emit('message', { signal: 'SIGUSR2' })
  process.emit('message', null)
  expect([heard, process.killed]).toEqual([['SIGINT'], []])
  process.emit('message', { signal: 'SIGTERM' })
  expect(process.killed).toEqual(['7 SIGTERM'])
  expect(process.sent).toEqual([{ hears: ['SIGINT', 'SIGTERM', 'SIGHUP'] }])
})

test('without a launcher nothing but signals is listened to', () => {
  const process = new MemoryProcess({ launched: false })
  using _listening = new Signals(process).on('SIGINT', () => undefined)
  expect(process.eventNames()).toEqual(['SIGINT'])
})
