import { join } from 'node:path'
import { inspect } from 'node:util'
import { monotonicMs } from './clock.ts'
import { copyDataFile } from './config/data-files.ts'
import { describeExit } from './diagnostics/collect.ts'
import { TestkitError, reasonOf, rewriteError } from './errors.ts'
import { removeQuietly, writeFileAtomically } from './home.ts'
import { checkStdioEntry } from './ports/listening-socket.ts'
import { execPrefix } from './process/exec-prefix.ts'
import { requireFolder } from './process/executable.ts'
import { InlineProcess } from './process/inline-process.ts'
import { ServerProcess } from './process/server-process.ts'
import { NotifySocket } from './readiness/notify-socket.ts'
import { awaitsNotification } from './readiness/readiness.ts'
import { buildCommand, readinessOf } from './server-command.ts'
import type { ServerLife } from './server-life.ts'
import { awaitLaunch } from './server-launch.ts'
import type { ServerRun } from './server-run.ts'
import { abandonAttempt } from './server-stop.ts'
import type { ExitInfo, ServerContext } from './spec.ts'
import type { StartResult } from './start-options.ts'

/**
 * Starts a server, as often as the options allow.
 *
 *   preparing (ports, database, data files, configuration) ──spawn──▶ starting ──▶ see `server-launch.ts`
 *        └──────────────────────── any failure ──▶ nothing of the attempt is left ──▶ another attempt, or the error
 *
 * Source: testkit.md A5.1, A5.2.
 */
export async function startServer<C extends object>(
  life: ServerLife<C>,
  run: ServerRun<C>,
  previous: ServerRun<C> | undefined,
): Promise<StartResult> {
  try {
    // A run that ended by itself: what it left behind holds its ports.
    await previous?.running?.removeStragglers()
    const result = await tryUntilStarted(life, run)
    run.hasLaunched = true
    if (run.endings === 0) life.enter(run, 'ready')
    return result
  } finally {
    run.settle()
    life.rest(run)
  }
}

async function tryUntilStarted<C extends object>(life: ServerLife<C>, run: ServerRun<C>): Promise<StartResult> {
  for (;;) {
    const startedAt = monotonicMs()
    try {
      return await attempt(life, run)
    } catch (error) {
      await abandonAttempt(life, run)
      // A command, or the output of a tool, may have secrets in it.
      rewriteError(error, life.hide)
      const durationMs = monotonicMs() - startedAt
      const seen = { ports: life.listeners.ports, durationMs, log: life.logs.tail(40), hide: life.hide }
      const again = run.attempts.note(error, seen)
      if (run.isCancelled || !again) throw run.attempts.finalError(error)
      life.enter(run, 'preparing')
      life.logs.note(`retry after attempt ${run.attempts.failed.length}: ${reasonOf(error).split('\n')[0] ?? ''}`)
    }
  }
}

async function attempt<C extends object>(life: ServerLife<C>, run: ServerRun<C>): Promise<StartResult> {
  Object.assign(run, { process: undefined, inline: undefined, exit: undefined, lastExit: undefined })
  const context = await prepare(life, run)
  const startedAt = monotonicMs()
  if (life.isInline) openInline(life, run, context)
  else {
    await openNotify(life)
    await spawnServer(life, run, context)
  }
  return await awaitLaunch(life, { run, context, startedAt })
}

/** Everything that must be there before the process: what is wrong with it is found before anything runs. */
async function prepare<C extends object>(life: ServerLife<C>, run: ServerRun<C>): Promise<ServerContext<C>> {
  const { spec, folders, host } = life
  const config = life.config(run.over)
  const timeoutMs = life.prepareTimeoutMs(run.options)
  const dbOverride: unknown = Reflect.get(run.over, 'dbUrl')
  run.assertWanted()
  life.logs.beginRun()
  if (!life.isInline) await life.listeners.choose(folders.runDir, { fresh: run.attempts.failed.length > 0 })
  life.files.check(life.context(config))
  life.database ??= await run.within(
    timeoutMs,
    'its database',
    async () =>
      await host.database(spec.name, life.context(config), typeof dbOverride === 'string' ? dbOverride : undefined),
  )
  const context = life.context(config)
  if (!life.prepared) {
    for (const file of spec.dataFiles ?? []) copyDataFile(file, folders.dir)
    await run.within(timeoutMs, 'prepare', async () => await spec.prepare?.(context))
    life.prepared = true
  }
  life.writeFiles(context)
  run.assertWanted()
  return context
}

function openInline<C extends object>(life: ServerLife<C>, run: ServerRun<C>, context: ServerContext<C>): void {
  const { inline } = life.spec
  if (inline === undefined) throw new TestkitError('TK_BAD_SPEC', `server "${life.name}" has no inline function`)
  const started = new InlineProcess(
    async () => await inline(context),
    (reason) => life.logs.write('stderr', Buffer.from(`${inspect(reason)}\n`)),
  )
  run.inline = started
  life.enter(run, 'starting')
  life.logs.note('start (inline)')
  run.exit = recordExit(life, run, started)
  run.exit.catch(() => undefined)
}

async function spawnServer<C extends object>(
  life: ServerLife<C>,
  run: ServerRun<C>,
  context: ServerContext<C>,
): Promise<void> {
  const { spec, host, logs } = life
  const cwd = spec.cwd ?? life.folders.dataDir
  life.starts += 1
  const request = buildCommand(spec, context, life.environment(context)['PATH'])
  requireFolder(request[0] ?? '', cwd)
  life.program = request[0]
  const stopSignal = spec.stop?.signal ?? 'SIGTERM'
  // Nothing may come between the opening of the sockets and the spawn: a client may already be knocking.
  const handover = await life.listeners.open()
  run.assertWanted()
  const prefix = execPrefix({
    systemd: handover.systemd,
    limits: spec.limits,
    dieWithParent: stopSignal === 'SIGTERM',
  })
  const started = new ServerProcess({
    command: [...prefix, ...request],
    cwd,
    env: life.environment(context, handover),
    user: spec.user,
    descriptors: handover.descriptors.map(checkStdioEntry),
    onOutput: (stream, chunk) => logs.write(stream, chunk),
    marker: [host.marker, `MAINSTAY_TESTKIT_SERVER=${spec.name}`, `MAINSTAY_TESTKIT_START=${life.starts}`],
    onGone: (pid) => host.reaper.tell({ event: 'del', pid }),
  })
  life.listeners.closeParentCopies()
  // Without a process there is nothing to wait for: what went wrong is how it has ended.
  if (started.pid === 0) await started.exited
  run.process = started
  life.enter(run, 'starting')
  host.reaper.tell({ event: 'add', process: started.identity, signal: stopSignal })
  writeFileAtomically(context.pidFile, `${started.pid}\n`, 0o644)
  logs.note(`start pid ${started.pid}: ${request.join(' ')}`)
  run.exit = recordExit(life, run, started, context.pidFile)
  run.exit.catch(() => undefined)
}

async function recordExit<C extends object>(
  life: ServerLife<C>,
  run: ServerRun<C>,
  running: ServerProcess | InlineProcess,
  pidFile?: string,
): Promise<ExitInfo> {
  try {
    const exit = await running.exited
    run.lastExit = exit
    life.logs.note(describeExit(exit) ?? 'ended')
    return exit
  } finally {
    life.logs.endRun()
    if (pidFile !== undefined) removeQuietly(pidFile)
    life.rest(run)
  }
}

async function openNotify<C extends object>(life: ServerLife<C>): Promise<void> {
  if (!awaitsNotification(readinessOf(life.spec))) return
  const path = join(life.folders.runDir, 'notify.sock')
  life.notify ??= await NotifySocket.open(path, {
    onReady: () => life.logs.note('READY=1'),
    reaper: life.host.reaper,
  })
  life.notify?.forget()
}
