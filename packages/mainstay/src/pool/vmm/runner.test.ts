import { expect, test, vi } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import { TaskGroup } from '../../core/task-group.ts'
import { LocalWorkers } from './local-workers.ts'
import { DEFAULT_VMM_OPTIONS, type VmmOptions } from './options.ts'
import type { VmmRedis } from './redis.ts'
import { BASE_PROCESS_TITLE, VmmRunner, type RunnerParts } from './runner.ts'

const OPTIONS = { ...DEFAULT_VMM_OPTIONS, prefix: 'copr:backend:' }

/** Every part of a runner as a double that writes down what is done with it. */
function doubles() {
  const done: string[] = []
  const note = (what: string) => vi.fn(async () => void done.push(what))
  const ended = Promise.withResolvers<void>()
  const parts = {
    spawner: { name: 'spawner' },
    checker: { name: 'checker' },
    terminator: { name: 'terminator', terminate: note('terminator.terminate') },
    manager: { postInit: note('manager.postInit') },
    eventHandler: {
      postInit: note('eventHandler.postInit'),
      start: vi.fn(async () => {
        done.push('eventHandler.start')
        return { ended: ended.promise }
      }),
      terminate: vi.fn(async () => {
        done.push('eventHandler.terminate')
        ended.resolve()
      }),
    },
    master: { run: note('master.run'), terminate: note('master.terminate') },
  }
  const factories = {
    spawner: vi.fn(() => parts.spawner),
    checker: vi.fn(() => parts.checker),
    terminator: vi.fn(() => parts.terminator),
    manager: vi.fn(() => parts.manager),
    eventHandler: vi.fn((..._given: unknown[]) => parts.eventHandler),
    master: vi.fn((..._given: unknown[]) => parts.master),
  }
  return { done, parts, factories }
}

function newRunner(factories: ReturnType<typeof doubles>['factories'], options: VmmOptions = OPTIONS) {
  const clock = new ManualClock()
  const logger = silentLogger()
  const publish = vi.fn(async () => {})
  const redis = { publish } as unknown as VmmRedis
  const setTitle = vi.fn<(title: string) => void>()
  const dependencies = { redis, clock, logger, tasks: new TaskGroup({ clock, logger }), setTitle }
  const runner = new VmmRunner(options, dependencies, factories as unknown as RunnerParts)
  return { runner, dependencies, setTitle, publish }
}

test('B-1 the parts of a runner are built from the options, wired, and started in their order', async () => {
  const { done, parts, factories } = doubles()
  const { runner, dependencies, setTitle, publish } = newRunner(factories)
  await runner.run()
  const { redis, clock, logger } = dependencies
  for (const part of ['spawner', 'checker', 'terminator'] as const) {
    expect(factories[part].mock.calls).toEqual([[OPTIONS, dependencies, expect.any(Function)]])
  }
  expect(factories.manager.mock.calls).toEqual([[OPTIONS, dependencies]])
  const { manager, spawner, checker, terminator } = parts
  expect(factories.eventHandler.mock.calls).toEqual([[OPTIONS, { manager, terminator, redis, clock, logger }]])
  expect(factories.master.mock.calls).toEqual([[OPTIONS, { manager, spawner, checker, clock, logger }]])
  const given = (factories.eventHandler.mock.calls[0]![1] as { manager: unknown }).manager
  expect((factories.master.mock.calls[0]![1] as { manager: unknown }).manager).toBe(given)
  expect(done.indexOf('eventHandler.postInit')).toBeLessThan(done.indexOf('eventHandler.start'))
  expect(done.indexOf('eventHandler.start')).toBeLessThan(done.indexOf('master.run'))
  expect(setTitle.mock.calls).toEqual([[BASE_PROCESS_TITLE]])

  const [, , tell] = factories.spawner.mock.calls[0] as unknown as [
    unknown,
    unknown,
    (message: unknown) => Promise<void>,
  ]
  await tell({ topic: 'vm_spawned', vm_ip: '10.0.0.1', vm_name: 'vm', group: 0 })
  expect(publish.mock.calls).toEqual([
    ['copr:backend:vm:pubsub::', '{"topic":"vm_spawned","vm_ip":"10.0.0.1","vm_name":"vm","group":0}'],
  ])
  await runner.terminate()
})

test('B-2 the manager is initialised before the event handler starts', async () => {
  const { done, factories } = doubles()
  const { runner } = newRunner(factories)
  await runner.run()
  expect(done.slice(0, 3)).toEqual(['manager.postInit', 'eventHandler.postInit', 'eventHandler.start'])
  await runner.terminate()
})

test('the master ends before the event handler, which still hears what it published; a second end does nothing', async () => {
  const { done, factories } = doubles()
  const { runner } = newRunner(factories)
  await runner.run()
  done.length = 0
  await runner.terminate()
  await runner.terminate()
  expect(done).toEqual(['master.terminate', 'eventHandler.terminate', 'terminator.terminate'])
})

test('the master looks after workers of this machine where the options say that there are any', async () => {
  const { factories } = doubles()
  const { runner } = newRunner(factories, { ...OPTIONS, localWorkers: true })
  await runner.run()
  expect(factories.master.mock.calls[0]![1]).toMatchObject({ localWorkers: expect.any(LocalWorkers) })
  await runner.terminate()
})
