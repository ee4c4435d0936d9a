import { describe, expect, test } from 'vitest'

import { ManualClock } from './clock.ts'
import { currentContext, requestContext, runInContext } from './context.ts'
import { ShutdownError, TimeoutError } from './errors.ts'
import { createLogger } from './logging.ts'
import { parseJson } from './json.ts'
import { TaskGroup } from './task-group.ts'

function startGroup(): { tasks: TaskGroup; clock: ManualClock; lines: unknown[] } {
  const lines: unknown[] = []
  const destination = { write: (line: string) => void lines.push(parseJson(line, 'a log line')) }
  const clock = new ManualClock()
  const tasks = new TaskGroup({ clock, logger: createLogger({ format: 'json', destination }) })
  return { tasks, clock, lines }
}

const context = requestContext({ requestId: 'req-7', timestampMs: 0, userId: 'ada' })

describe('background work (ha-api 20.4, M322)', () => {
  test('keeps the context of the request that started it, after the request is over', async () => {
    const { tasks } = startGroup()
    const go = Promise.withResolvers<void>()
    const task = runInContext(context, () =>
      tasks.spawn('evacuate', async () => {
        await go.promise
        return currentContext()?.requestId
      }),
    )
    expect(currentContext()).toBeUndefined()
    go.resolve()
    await expect(task).resolves.toBe('req-7')
  })

  test('has no context when nobody had one', async () => {
    const { tasks } = startGroup()
    await expect(tasks.spawn('tick', async () => currentContext())).resolves.toBeUndefined()
  })

  test('logs a failure with its name and the request that started it', async () => {
    const { tasks, lines } = startGroup()
    const task = runInContext(context, () => tasks.spawn('evacuate', async () => Promise.reject(new Error('no room'))))
    await expect(task).rejects.toThrow('no room')
    expect(lines).toMatchObject([{ task: 'evacuate', msg: 'no room', requestId: 'req-7', userId: 'ada' }])
  })

  test('treats work that fails before its first await like any other', async () => {
    const { tasks, lines } = startGroup()
    const task = tasks.spawn('broken', () => {
      throw new Error('at once')
    })
    await expect(task).rejects.toThrow('at once')
    expect(lines).toMatchObject([{ task: 'broken', msg: 'at once' }])
    expect(tasks.names()).toEqual([])
  })

  test('is known by name while it runs', async () => {
    const { tasks } = startGroup()
    const done = Promise.withResolvers<void>()
    const running = [tasks.spawn('b', () => done.promise), tasks.spawn('a', () => done.promise)]
    expect(tasks.names()).toEqual(['a', 'b'])
    done.resolve()
    await Promise.all(running)
    expect(tasks.names()).toEqual([])
  })
})

describe('shutdown', () => {
  test('waits for work that finishes what it has in hand', async () => {
    const { tasks } = startGroup()
    const last = Promise.withResolvers<void>()
    const steps: string[] = []
    void tasks.spawn('worker', async () => {
      await last.promise
      steps.push('worker done')
    })
    const stopped = tasks.stop({ timeoutMs: 1000 }).then(() => steps.push('stopped'))
    last.resolve()
    await stopped
    expect(steps).toEqual(['worker done', 'stopped'])
  })

  test('tells work to stop, and does not report that it did', async () => {
    const { tasks, clock, lines } = startGroup()
    const task = tasks.spawn('loop', (signal) => clock.sleep(60_000, { signal }))
    await Promise.all([expect(task).rejects.toBeInstanceOf(ShutdownError), tasks.stop({ timeoutMs: 1000 })])
    expect(lines).toEqual([])
  })

  test('reports work that fails for another reason while it is stopping', async () => {
    const { tasks, lines } = startGroup()
    const task = tasks.spawn('flush', async (signal) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      throw new Error('disk full')
    })
    await Promise.all([expect(task).rejects.toThrow('disk full'), tasks.stop({ timeoutMs: 1000 })])
    expect(lines).toMatchObject([{ task: 'flush', msg: 'disk full' }])
  })

  test('names what does not stop in time', async () => {
    const { tasks, clock } = startGroup()
    void tasks.spawn('stuck recovery', async () => new Promise<never>(() => {}))
    const stopping = tasks.stop({ timeoutMs: 1000 })
    await Promise.all([expect(stopping).rejects.toThrow(TimeoutError), clock.advance(1000)])
    await expect(stopping).rejects.toThrow(/stuck recovery/)
  })

  test('starts nothing new', async () => {
    const { tasks } = startGroup()
    await tasks.stop({ timeoutMs: 1000 })
    expect(() => tasks.spawn('late', async () => 1)).toThrow(ShutdownError)
  })

  test('a thousand tasks on one signal draw no warning', async () => {
    const { tasks, clock } = startGroup()
    const warnings: string[] = []
    const listen = (warning: Error): void => void warnings.push(warning.message)
    process.on('warning', listen)
    const all = Array.from({ length: 1000 }, (_, index) =>
      tasks.spawn(`task ${index}`, (signal) => clock.sleep(60_000, { signal })).catch(() => 'stopped'),
    )
    await tasks.stop({ timeoutMs: 1000 })
    expect(new Set(await Promise.all(all))).toEqual(new Set(['stopped']))
    await clock.advance(1)
    process.off('warning', listen)
    expect(warnings).toEqual([])
  })
})
