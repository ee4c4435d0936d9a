/**
 * An engine in a process of its own, for tests that kill and pause it.
 *
 *   node engine-process.ts <store url> <effects file> <lease in ms>
 *
 * Its workflow `probe` has ten steps. Each looks whether its effect is in the file already and adds it if not, as a
 * careful driver does; the last to act is told by name. Lines on standard output say what happens.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'

import { SystemClock } from '../../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../../packages/mainstay/src/core/ids.ts'
import { createLogger } from '../../../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../../../packages/mainstay/src/core/metrics.ts'
import { TaskGroup } from '../../../packages/mainstay/src/core/task-group.ts'
import { Engine } from '../../../packages/mainstay/src/journal/index.ts'
import { PostgresStore } from '../../../packages/mainstay/src/store/index.ts'

const [url = '', effects = '', leaseMs = '1000'] = process.argv.slice(2)
const clock = new SystemClock()
const logger = createLogger({ format: 'json', destination: { write: (line) => void process.stdout.write(line) } })
const store = PostgresStore.open({ url, clock, logger })
const tasks = new TaskGroup({ clock, logger })
const engine = new Engine(
  { store, clock, ids: new SystemIds(), tasks, logger, metrics: new Metrics() },
  { leaseMs: Number(leaseMs), pollMs: 50 },
)

engine.register({
  name: 'probe',
  version: 1,
  run: async (context) => {
    for (let step = 1; step <= 10; step += 1) {
      await context.step(`step-${step}`, { timeoutMs: 60_000 }, async ({ key, fence, signal }) => {
        process.stdout.write(`acting ${context.workflowId} ${step} fence ${fence}\n`)
        await clock.sleep(100, { signal })
        const done = existsSync(effects) && readFileSync(effects, 'utf8').includes(`${key} `)
        if (!done) appendFileSync(effects, `${key} ${fence}\n`)
        return step
      })
    }
    return 'done'
  },
})
await engine.start()
process.stdout.write(`ready ${engine.id}\n`)
process.on('SIGTERM', () => {
  void engine.stop().then(async () => await store.close())
})
