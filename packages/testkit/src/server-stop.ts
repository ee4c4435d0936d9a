import { describeExit } from './diagnostics/collect.ts'
import { TestkitError, reasonOf } from './errors.ts'
import type { InlineProcess } from './process/inline-process.ts'
import type { ServerProcess } from './process/server-process.ts'
import type { ServerLife } from './server-life.ts'
import type { ServerRun } from './server-run.ts'
import type { ExitInfo, StopPolicy } from './spec.ts'

/**
 * Stops a run: the start that may be under way, the process, and what the process left behind. When it returns the start
 * has returned too, so that a later start meets nothing of it. Having to escalate, or an unclean end, is a warning of the
 * cluster, or an error when the policy is strict.
 *
 * Source: testkit.md A5.3. Throws TK_STOP_FAILED, TK_STOP_NOT_CLEAN.
 */
export async function stopServer<C extends object>(
  life: ServerLife<C>,
  run: ServerRun<C>,
  policy: StopPolicy,
): Promise<ExitInfo> {
  if (life.state === 'exited' || life.state === 'failed') {
    // It ended by itself: nobody has looked yet for what it left.
    await run.running?.removeStragglers()
    return run.lastExit ?? neverRan
  }
  const { signal = 'SIGTERM' } = policy
  const exit = await life.ending(run, async () => {
    const ended = run.running === undefined ? neverRan : await stopProcess(life, run.running, policy)
    await run.settled()
    life.listeners.release()
    return ended
  })
  if (exit.escalated) complain(life, policy, `server "${life.name}" did not end after ${signal}; it had to be forced`)
  else if (!exit.clean) complain(life, policy, `server "${life.name}" did not end cleanly: ${describeExit(exit)}`)
  return exit
}

/** After a failed attempt to start, nothing of it may stay. */
export async function abandonAttempt<C extends object>(life: ServerLife<C>, run: ServerRun<C>): Promise<void> {
  const { running } = run
  if (running !== undefined) {
    if (running.exit === undefined) await running.stop(life.spec.stop ?? {})
    else await running.removeStragglers()
    run.lastExit = running.exit
  }
  life.listeners.release()
}

async function stopProcess<C extends object>(
  life: ServerLife<C>,
  running: ServerProcess | InlineProcess,
  policy: StopPolicy,
): Promise<ExitInfo> {
  life.logs.note(`stop ${life.isInline ? '(inline)' : (policy.signal ?? 'SIGTERM')}`)
  try {
    return await running.stop(policy)
  } catch (cause) {
    if (!(cause instanceof TestkitError)) throw cause
    const { text } = await life.diagnostics()
    const message = `server "${life.name}": ${reasonOf(cause)}`
    throw new TestkitError('TK_STOP_FAILED', message, { cause, details: text })
  }
}

function complain<C extends object>(life: ServerLife<C>, policy: StopPolicy, text: string): void {
  life.logs.note(text)
  if (policy.strict ?? life.host.strictStop) {
    throw new TestkitError('TK_STOP_NOT_CLEAN', text, { details: life.logs.tail(20) })
  }
  life.host.warn(text)
}

const neverRan: ExitInfo = { code: null, signal: null, escalated: false, clean: true }
