import { parseArgs } from 'node:util'

import pLimit from 'p-limit'

import { crashRun, type CrashOutcome, type CrashStore } from './crash-run.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'
import { SQLITE, startPostgres } from './stores.ts'
import { judgeRuns, type Verdict } from './verdict.ts'

/**
 * Kills `mainstay serve` at every crash point of every scenario on every store, starts it again, and counts what was
 * lost or done twice. The points are those that an undisturbed run passes; none is chosen. Only those at which a server
 * died are counted, and it fails unless nearly all of them are.
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
const verdicts: Verdict[] = []

async function enumerate(scenario: Scenario, store: CrashStore): Promise<void> {
  const undisturbed = await crashRun(scenario, store, undefined)
  const points = Array.from({ length: undisturbed.passed + 1 }, (_, point) => point)
  const chosen = points.filter((point) => point % Number(values.every) === 0)
  const runs = chosen.map(async (point) => await limit(async () => await crashRun(scenario, store, point)))
  const all = [undisturbed, ...(await Promise.all(runs))]
  const verdict = judgeRuns(all)
  outcomes.push(...all)
  verdicts.push(verdict)
  const said = `${verdict.died} of ${runs.length} runs died at theirs, ${verdict.unreached} ended before`
  say(`${store.name} ${scenario.name}: ${undisturbed.passed} points, ${said}`)
  for (const complaint of verdict.complaints) say(`  ${complaint}`)
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

const sum = <T>(of: readonly T[], count: (each: T) => number): number => of.reduce((all, each) => all + count(each), 0)
const summary = {
  points: sum(verdicts, ({ died }) => died),
  unreached: sum(verdicts, ({ unreached }) => unreached),
  lost: sum(outcomes, ({ lost }) => lost.length),
  double: sum(outcomes, ({ double }) => double.length),
  untold: sum(outcomes, ({ untold }) => untold.length),
  unfinished: outcomes.filter(({ status }) => status !== 'finished').length,
}
process.stdout.write(
  values.json
    ? `${JSON.stringify(summary)}\n`
    : `${summary.points} crash points: ${summary.lost} lost, ${summary.double} double, ${summary.untold} untold, ${summary.unfinished} unfinished\n`,
)
process.exitCode = verdicts.length === 0 || verdicts.some(({ complaints }) => complaints.length > 0) ? 1 : 0
