import { monotonicMs } from './clock.ts'
import { describeExit } from './diagnostics/collect.ts'
import type { ReadinessOutcome } from './readiness/wait-ready.ts'
import type { ServerLife } from './server-life.ts'
import type { ServerRun } from './server-run.ts'
import type { ServerContext } from './spec.ts'
import type { StartResult } from './start-options.ts'

/** A start whose process runs, or whose server object is on its way. */
interface Launched<C extends object> {
  readonly run: ServerRun<C>
  readonly context: ServerContext<C>
  /** Monotonic milliseconds. */
  readonly startedAt: number
}

/**
 * What a process (or a server object) must come to before its start has succeeded.
 *
 *   service  ──▶ ready                              (`expectLaunch: false`: to its end, or with `acceptHang` to neither)
 *   oneshot  ──▶ its end, with the expected code
 *
 * Source: testkit.md A5.1. Throws TK_NOT_READY, TK_START_FAILED, TK_EXIT_CODE, TK_UNEXPECTED_LAUNCH.
 */
export async function awaitLaunch<C extends object>(life: ServerLife<C>, launched: Launched<C>): Promise<StartResult> {
  const { run, context, startedAt } = launched
  const { options } = run
  if (life.launchKind(context.config) === 'oneshot') {
    await awaitOneshot(life, launched)
    return startResult(life, run, startedAt)
  }
  const outcome = await comeUp(life, launched)
  if (options.expectLaunch === false) {
    // A server that a stop has ended has not refused to launch.
    run.assertWanted()
    await judgeNoLaunch(life, launched, outcome)
    return startResult(life, run, startedAt)
  }
  if (!outcome.ready) throw await life.notReady(outcome, context)
  life.logs.note(`ready after ${Math.round(monotonicMs() - startedAt)} ms (${outcome.said})`)
  const { afterReady } = life.spec
  if (afterReady !== undefined) {
    const up = life.context(context.config)
    await run.within(life.prepareTimeoutMs(options), 'afterReady', async () => await afterReady(up))
  }
  run.assertWanted()
  if (run.running?.exit !== undefined) throw await life.notReady(outcome, context)
  return startResult(life, run, startedAt)
}

/** Waits for readiness; a server object must be there before it can be asked, in the same time. */
async function comeUp<C extends object>(
  life: ServerLife<C>,
  { run, startedAt }: Launched<C>,
): Promise<ReadinessOutcome> {
  const timeoutMs = life.startTimeoutMs(run.options)
  const { inline } = run
  if (inline === undefined) return await life.waitReady(life.readiness, timeoutMs)
  if (!(await inline.opensWithin(timeoutMs))) {
    const elapsedMs = monotonicMs() - startedAt
    return { ready: false, elapsedMs, probes: 0, said: 'it has not resolved', waitedFor: 'the function `inline`' }
  }
  life.listeners.adopt(inline.server?.ports ?? {})
  return await life.waitReady(life.readiness, Math.max(1, timeoutMs - (monotonicMs() - startedAt)))
}

/** What a start that succeeded returns. */
export function startResult<C extends object>(life: ServerLife<C>, run: ServerRun<C>, startedAt: number): StartResult {
  const durationMs = Math.round(monotonicMs() - startedAt)
  const exit = run.running?.exit
  return {
    pid: life.pid,
    ports: { ...life.listeners.ports },
    readyAfterMs: durationMs,
    attempts: run.attempts.failed.length + 1,
    exitCode: exit?.code ?? null,
    signal: exit?.signal ?? null,
    stdout: life.logs.text('stdout'),
    stderr: life.logs.text('stderr'),
    durationMs,
  }
}

async function awaitOneshot<C extends object>(life: ServerLife<C>, { run, context }: Launched<C>): Promise<void> {
  const timeoutMs = life.startTimeoutMs(run.options)
  const { expectExitCode = 0 } = run.options
  const { running } = run
  if (running === undefined || !(await running.endsWithin(timeoutMs))) {
    const message = `oneshot "${life.name}" did not end within ${timeoutMs} ms`
    throw life.failure('TK_NOT_READY', message, context, await life.diagnostics())
  }
  const exit = await running.exited
  await running.removeStragglers()
  life.listeners.release()
  run.assertWanted()
  if (exit.code === expectExitCode) return
  const message = `oneshot "${life.name}": ${describeExit(exit)}, expected exit code ${expectExitCode}`
  throw life.failure('TK_EXIT_CODE', message, context)
}

async function judgeNoLaunch<C extends object>(
  life: ServerLife<C>,
  { run, context }: Launched<C>,
  outcome: ReadinessOutcome,
): Promise<void> {
  const { options, running } = run
  if (outcome.ready) {
    const message = `unexpected launch of server "${life.name}": ${outcome.said}`
    throw life.failure('TK_UNEXPECTED_LAUNCH', message, context)
  }
  if (running?.exit === undefined) {
    if (options.acceptHang !== true) throw await life.notReady(outcome, context)
    await running?.stop(life.spec.stop ?? {})
    return
  }
  await running.removeStragglers()
  life.listeners.release()
  // A server object has no exit codes to tell apart: its failure is any of them.
  const { code } = running.exit
  const wanted = life.isInline ? undefined : options.expectExitCode
  if (wanted === undefined ? code !== 0 : code === wanted) return
  const expected = options.expectExitCode ?? 'a code other than 0'
  const message = `server "${life.name}": ${describeExit(running.exit)}, expected ${expected}`
  throw life.failure('TK_EXIT_CODE', message, context)
}
