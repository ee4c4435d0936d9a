import type { CrashOutcome } from './crash-run.ts'

/** Of so many runs, one may live because it had fewer crash points than the one that was enumerated. */
const RUNS_FOR_ONE_UNREACHED = 20

export interface Verdict {
  /** Runs whose server died where it was to die. */
  readonly died: number
  /** Runs that were over before their point. */
  readonly unreached: number
  /** What must not be, a line each. */
  readonly complaints: readonly string[]
}

/**
 * What the runs of one scenario on one store have shown.
 *
 * A crash that did not happen proves nothing. How many points a run has depends a little on how often it had to look
 * or to ask again, so a run may end before its point: its own points say so, and few may do it. One that went past its
 * point and lived, or died elsewhere, means that the killing is broken.
 */
export function judgeRuns(outcomes: readonly CrashOutcome[]): Verdict {
  const runs = outcomes.filter(({ point }) => point >= 0)
  const died = runs.filter(diedAtItsPoint)
  const unreached = runs.filter((run) => !run.died && run.passed < run.point)
  const most = Math.floor(runs.length / RUNS_FOR_ONE_UNREACHED)
  return {
    died: died.length,
    unreached: unreached.length,
    complaints: [
      ...outcomes.filter(endedBadly).map((outcome) => JSON.stringify(outcome)),
      ...outcomes.filter(({ point, died: dead }) => point < 0 && dead).map(() => 'the undisturbed run died'),
      ...runs
        .filter((run) => !died.includes(run) && !unreached.includes(run))
        .map((run) => `the run of point ${run.point} ${run.died ? 'died' : 'lived'} after ${run.passed} points`),
      ...(died.length === 0 ? ['no run died'] : []),
      ...(unreached.length > most
        ? [`${unreached.length} of ${runs.length} runs ended before their point; at most ${most} may`]
        : []),
    ],
  }
}

function diedAtItsPoint({ point, died, passed }: CrashOutcome): boolean {
  // Point 0 is the moment after the report: some points may already be behind it.
  return died && (point === 0 || passed === point)
}

function endedBadly({ status, lost, double, untold }: CrashOutcome): boolean {
  return status !== 'finished' || lost.length > 0 || double.length > 0 || untold.length > 0
}
