import { describeExit } from './diagnostics/collect.ts'
import { TestkitError, reasonOf } from './errors.ts'
import type { ServerProcess } from './process/server-process.ts'
import type { ServerLife } from './server-life.ts'
import type { ExitInfo, InlineServer, StopPolicy } from './spec.ts'

/**
 * Stops a server that runs. Having to escalate, or an unclean end, is a warning of the cluster, or an error when the
 * policy is strict. Source: testkit.md A5.3. Throws TK_STOP_FAILED, TK_STOP_NOT_CLEAN.
 */
export async function stopServer<C extends object>(life: ServerLife<C>, policy: StopPolicy): Promise<ExitInfo> {
  life.state = 'stopping'
  if (life.inline !== undefined) return await stopInline(life, life.inline)
  const { signal = 'SIGTERM' } = policy
  const running = life.requireProcess('stop')
  life.logs.note(`stop ${signal}`)
  const exit = await stopProcess(life, running, policy)
  life.listeners.release()
  life.state = 'exited'
  if (exit.escalated) complain(life, policy, `server "${life.name}" did not end after ${signal}; it had to be forced`)
  else if (!exit.clean) complain(life, policy, `server "${life.name}" did not end cleanly: ${describeExit(exit)}`)
  return exit
}

/** After a failed attempt to start, nothing of it may stay. */
export async function abandonAttempt<C extends object>(life: ServerLife<C>): Promise<void> {
  const { process: running, inline } = life
  if (inline !== undefined) await stopInline(life, inline)
  life.state = 'failed'
  if (running !== undefined && running.pid > 0) {
    if (running.exit === undefined) await running.stop({ ...life.spec.stop, deadlineMs: 10_000 })
    else await running.removeStragglers()
    life.lastExit = running.exit
  }
  life.listeners.release()
}

async function stopProcess<C extends object>(
  life: ServerLife<C>,
  running: ServerProcess,
  policy: StopPolicy,
): Promise<ExitInfo> {
  try {
    return await running.stop(policy)
  } catch (cause) {
    const { text } = await life.diagnostics()
    const message = `server "${life.name}": ${reasonOf(cause)}`
    throw new TestkitError('TK_STOP_FAILED', message, { cause, details: text })
  }
}

async function stopInline<C extends object>(life: ServerLife<C>, inline: InlineServer): Promise<ExitInfo> {
  life.inline = undefined
  const exit: ExitInfo = { code: 0, signal: null, escalated: false, clean: true }
  try {
    await inline.close()
  } finally {
    life.state = 'exited'
    life.lastExit = exit
  }
  life.exit = Promise.resolve(exit)
  return exit
}

function complain<C extends object>(life: ServerLife<C>, policy: StopPolicy, text: string): void {
  life.logs.note(text)
  if (policy.strict ?? life.host.strictStop) {
    throw new TestkitError('TK_STOP_NOT_CLEAN', text, { details: life.logs.tail(20) })
  }
  life.host.warn(text)
}
