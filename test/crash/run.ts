import { parseArgs } from 'node:util'

import pLimit from 'p-limit'

import { crashRun, type CrashOutcome, type CrashStore } from './crash-run.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'
import { SQLITE, startPostgres } from './stores.ts'

/**
 * Kills `mainstay serve` at every crash point of every scenario on every store, starts it again, and counts what was
 * lost or done twice. The points are those that an undisturbed run passes; none is chosen.
 *
 *   npm run -s test:crash -- [--json] [--store sqlite|postgres] [--scenario NAME] [--every N] [--parallel N]
 */
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    store: { type: 'string' },
    scenario: { type: 'string' },
    every: { type: 'string', default: '1' },
    parallel: { type: 'string', default: '3' },
  },
})

const say = (line: string): void => void process.stderr.write(`${line}\n`)
const limit = pLimit(Number(values.parallel))
const outcomes: CrashOutcome[] = []

async function enumerate(scenario: Scenario, store: CrashStore): Promise<void> {
  const undisturbed = await crashRun(scenario, store, undefined)
  if (!undisturbed.outcome.crashed) throw new Error(`the undisturbed run of ${scenario.name} on ${store.name} died`)
  outcomes.push(undisturbed.outcome)
  const points = Array.from({ length: undisturbed.points + 1 }, (_, point) => point)
  const chosen = points.filter((point) => point % Number(values.every) === 0)
  const runs = chosen.map(async (point) => await limit(async () => (await crashRun(scenario, store, point)).outcome))
  const results = await Promise.all(runs)
  outcomes.push(...results)
  const died = results.filter(({ crashed }) => crashed).length
  say(`${store.name} ${scenario.name}: ${undisturbed.points} points, ${died} of ${results.length} runs died at theirs`)
  for (const outcome of results.filter(isBad)) say(`  ${JSON.stringify(outcome)}`)
}

function isBad({ status, lost, double, untold }: CrashOutcome): boolean {
  return status !== 'finished' || lost.length > 0 || double.length > 0 || untold.length > 0
}

async function enumerateStore(store: CrashStore): Promise<void> {
  for (const scenario of SCENARIOS) {
    if (values.scenario === undefined || values.scenario === scenario.name) await enumerate(scenario, store)
  }
}

if (values.store !== 'postgres') await enumerateStore(SQLITE)
if (values.store !== 'sqlite') {
  await using postgres = await startPostgres()
  await enumerateStore(postgres.store)
}

const summary = {
  points: outcomes.filter(({ point }) => point >= 0).length,
  died: outcomes.filter(({ point, crashed }) => point >= 0 && crashed).length,
  lost: outcomes.reduce((sum, { lost }) => sum + lost.length, 0),
  double: outcomes.reduce((sum, { double }) => sum + double.length, 0),
  untold: outcomes.reduce((sum, { untold }) => sum + untold.length, 0),
  unfinished: outcomes.filter(({ status }) => status !== 'finished').length,
}
process.stdout.write(
  values.json
    ? `${JSON.stringify(summary)}\n`
    : `${summary.points} crash points: ${summary.lost} lost, ${summary.double} double, ${summary.untold} untold, ${summary.unfinished} unfinished\n`,
)
process.exitCode = outcomes.some(isBad) || summary.died === 0 ? 1 : 0
