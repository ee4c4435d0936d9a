import { monotonicMs } from './clock.ts'
import { describeExit } from './diagnostics/collect.ts'
import type { ReadinessOutcome } from './readiness/wait-ready.ts'
import { readinessOf } from './server-command.ts'
import { defaultStartTimeoutMs, type ServerLife } from './server-life.ts'
import type { ServerContext } from './spec.ts'
import type { StartOptions, StartResult } from './start-options.ts'

/** A start whose process runs. */
interface Launched {
  readonly options: StartOptions
  /** Monotonic milliseconds. */
  readonly startedAt: number
}

/**
 * What a spawned process must come to before its start has succeeded.
 *
 *   service  ──▶ ready                              (`expectLaunch: false`: to its end, or with `acceptHang` to neither)
 *   oneshot  ──▶ its end, with the expected code
 *
 * Source: testkit.md A5.1. Throws TK_NOT_READY, TK_START_FAILED, TK_EXIT_CODE, TK_UNEXPECTED_LAUNCH.
 */
export async function awaitLaunch<C extends object>(
  life: ServerLife<C>,
  context: ServerContext<C>,
  launched: Launched,
): Promise<StartResult> {
  const { options, startedAt } = launched
  const timeoutMs = options.timeoutMs ?? life.spec.startTimeoutMs ?? defaultStartTimeoutMs
  if (life.launchKind(context.config) === 'oneshot') {
    await awaitOneshot(life, context, { ...options, timeoutMs })
    return startResult(life, startedAt)
  }
  const outcome = await life.waitReady(readinessOf(life.spec), timeoutMs)
  if (options.expectLaunch === false) {
    await judgeNoLaunch(life, context, { options, outcome })
    return startResult(life, startedAt)
  }
  if (!outcome.ready) throw await life.notReady(outcome, context)
  life.state = 'ready'
  life.logs.note(`ready after ${Math.round(monotonicMs() - startedAt)} ms (${outcome.said})`)
  await life.spec.afterReady?.(context)
  return startResult(life, startedAt)
}

/** What a start that succeeded returns. */
export function startResult<C extends object>(life: ServerLife<C>, startedAt: number): StartResult {
  const durationMs = Math.round(monotonicMs() - startedAt)
  const exit = life.process?.exit
  return {
    pid: life.pid,
    ports: { ...life.listeners.ports },
    readyAfterMs: durationMs,
    attempts: life.attempts.failed.length + 1,
    exitCode: exit?.code ?? null,
    signal: exit?.signal ?? null,
    stdout: life.logs.text('stdout'),
    stderr: life.logs.text('stderr'),
    durationMs,
  }
}

async function awaitOneshot<C extends object>(
  life: ServerLife<C>,
  context: ServerContext<C>,
  { timeoutMs, expectExitCode = 0 }: StartOptions & { timeoutMs: number },
): Promise<void> {
  const running = life.requireProcess('start')
  if (!(await running.endsWithin(timeoutMs))) {
    const message = `oneshot "${life.name}" did not end within ${timeoutMs} ms`
    throw life.failure('TK_NOT_READY', message, context, await life.diagnostics())
  }
  const exit = await running.exited
  await running.removeStragglers()
  life.listeners.release()
  if (exit.code === expectExitCode) return
  const message = `oneshot "${life.name}": ${describeExit(exit)}, expected exit code ${expectExitCode}`
  throw life.failure('TK_EXIT_CODE', message, context)
}

async function judgeNoLaunch<C extends object>(
  life: ServerLife<C>,
  context: ServerContext<C>,
  { options, outcome }: { options: StartOptions; outcome: ReadinessOutcome },
): Promise<void> {
  if (outcome.ready) {
    const message = `unexpected launch of server "${life.name}": ${outcome.said}`
    throw life.failure('TK_UNEXPECTED_LAUNCH', message, context)
  }
  const running = life.requireProcess('start')
  if (running.exit === undefined) {
    if (options.acceptHang !== true) throw await life.notReady(outcome, context)
    await running.stop(life.spec.stop ?? {})
    return
  }
  const { code } = running.exit
  life.listeners.release()
  const fits = options.expectExitCode === undefined ? code !== 0 : code === options.expectExitCode
  if (fits) return
  const expected = options.expectExitCode ?? 'a code other than 0'
  const message = `server "${life.name}": ${describeExit(running.exit)}, expected ${expected}`
  throw life.failure('TK_EXIT_CODE', message, context)
}
