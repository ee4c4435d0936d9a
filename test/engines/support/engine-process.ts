/**
 * An engine in a process of its own, for tests that kill and pause it.
 *
 *   node engine-process.ts <store url> <effects file> <held step> <lease in ms> <poll in ms>
 *
 * Its workflow `probe` has ten steps. Each looks whether its effect is in the file already and adds it if not, as a
 * careful driver does; the last to act is told by name. The held step, if there is one of that number, acts until the
 * process gets SIGCONT, so that a test knows where it is. Lines on standard output say what happens.
 */
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'

import { SystemClock } from '../../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../../packages/mainstay/src/core/ids.ts'
import { createLogger } from '../../../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../../../packages/mainstay/src/core/metrics.ts'
import { TaskGroup } from '../../../packages/mainstay/src/core/task-group.ts'
import { Engine } from '../../../packages/mainstay/src/journal/index.ts'
import { PostgresStore } from '../../../packages/mainstay/src/store/index.ts'

/** The end of a held step whose test forgot it. */
const HELD_MS = 50_000

const [url = '', effects = '', heldStep = '', leaseMs = '', pollMs = ''] = process.argv.slice(2)
const clock = new SystemClock()
const logger = createLogger({ format: 'json', destination: { write: (line) => void process.stdout.write(line) } })
const store = PostgresStore.open({ url, clock, logger })
const tasks = new TaskGroup({ clock, logger })
const engine = new Engine(
  { store, clock, ids: new SystemIds(), tasks, logger, metrics: new Metrics() },
  { leaseMs: Number(leaseMs), pollMs: Number(pollMs) },
)

/** Waits for SIGCONT. */
async function released(signal: AbortSignal): Promise<void> {
  await Promise.race([once(process, 'SIGCONT', { signal }), clock.sleep(HELD_MS, { signal })])
}

engine.register({
  name: 'probe',
  version: 1,
  run: async (context) => {
    for (let step = 1; step <= 10; step += 1) {
      await context.step(`step-${step}`, { timeoutMs: 60_000 }, async ({ key, fence, signal }) => {
        // Before it is told, because whoever hears it may send the signal at once.
        const acted = String(step) === heldStep ? released(signal) : clock.sleep(20, { signal })
        process.stdout.write(`acting ${context.workflowId} ${step} fence ${fence}\n`)
        await acted
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
