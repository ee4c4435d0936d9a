import { join } from 'node:path'
import { monotonicMs } from './clock.ts'
import { copyDataFile } from './config/data-files.ts'
import { describeExit } from './diagnostics/collect.ts'
import { TestkitError, reasonOf } from './errors.ts'
import { removeQuietly, writeFileAtomically } from './home.ts'
import { checkStdioEntry } from './ports/listening-socket.ts'
import { execPrefix } from './process/exec-prefix.ts'
import { ServerProcess } from './process/server-process.ts'
import { NotifySocket } from './readiness/notify-socket.ts'
import { awaitsNotification } from './readiness/readiness.ts'
import { buildCommand, readinessOf } from './server-command.ts'
import type { ServerLife } from './server-life.ts'
import { awaitLaunch, startResult } from './server-launch.ts'
import { abandonAttempt } from './server-stop.ts'
import type { ExitInfo, ServerContext } from './spec.ts'
import type { StartOptions, StartResult } from './start-options.ts'

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
  over: Partial<C>,
  options: StartOptions,
): Promise<StartResult> {
  for (;;) {
    const startedAt = monotonicMs()
    life.state = 'preparing'
    try {
      return await attempt(life, over, options)
    } catch (error) {
      await abandonAttempt(life)
      const seen = { ports: life.listeners.ports, durationMs: monotonicMs() - startedAt, log: life.logs.tail(40) }
      const again = life.attempts.note(error, seen)
      if (life.cancelled || !again) throw life.attempts.finalError(error)
      life.logs.note(`retry after attempt ${life.attempts.failed.length}: ${reasonOf(error).split('\n')[0] ?? ''}`)
    }
  }
}

async function attempt<C extends object>(
  life: ServerLife<C>,
  over: Partial<C>,
  options: StartOptions,
): Promise<StartResult> {
  const context = await prepare(life, over)
  const startedAt = monotonicMs()
  if (life.isInline) return await startInline(life, context, startedAt)
  await openNotify(life)
  await spawnServer(life, context)
  return await awaitLaunch(life, context, { options, startedAt })
}

/** Everything that must be there before the process: what is wrong with it is found before anything runs. */
async function prepare<C extends object>(life: ServerLife<C>, over: Partial<C>): Promise<ServerContext<C>> {
  const { spec, folders } = life
  const config = life.config(over)
  const dbOverride: unknown = Reflect.get(over, 'dbUrl')
  life.logs.beginRun()
  if (!life.isInline) await life.listeners.choose(folders.runDir, { fresh: life.attempts.failed.length > 0 })
  life.files.check(life.context(config))
  life.database ??= await life.host.database(
    spec.name,
    life.context(config),
    typeof dbOverride === 'string' ? dbOverride : undefined,
  )
  const context = life.context(config)
  if (!life.prepared) {
    for (const file of spec.dataFiles ?? []) copyDataFile(file, folders.dir)
    await spec.prepare?.(context)
    life.prepared = true
  }
  life.writeFiles(context)
  refuseWhenCancelled(life)
  return context
}

async function startInline<C extends object>(
  life: ServerLife<C>,
  context: ServerContext<C>,
  startedAt: number,
): Promise<StartResult> {
  life.state = 'starting'
  life.lastExit = undefined
  life.inline = await life.spec.inline?.(context)
  life.listeners.adopt(life.inline?.ports ?? {})
  life.state = 'ready'
  life.logs.note('ready (inline)')
  await life.spec.afterReady?.(life.context(context.config))
  return startResult(life, startedAt)
}

async function spawnServer<C extends object>(life: ServerLife<C>, context: ServerContext<C>): Promise<void> {
  const { spec, host, logs } = life
  const request = buildCommand(spec, context, life.environment(context)['PATH'])
  life.program = request[0]
  const stopSignal = spec.stop?.signal ?? 'SIGTERM'
  // Nothing may come between the opening of the sockets and the spawn: a client may already be knocking.
  const handover = await life.listeners.open()
  refuseWhenCancelled(life)
  const prefix = execPrefix({
    systemd: handover.systemd,
    limits: spec.limits,
    dieWithParent: stopSignal === 'SIGTERM',
  })
  const started = new ServerProcess({
    command: [...prefix, ...request],
    cwd: spec.cwd ?? life.folders.dataDir,
    env: life.environment(context, handover),
    user: spec.user,
    descriptors: handover.descriptors.map(checkStdioEntry),
    onOutput: (stream, chunk) => logs.write(stream, chunk),
    marker: [host.marker, `MAINSTAY_TESTKIT_SERVER=${spec.name}`],
  })
  life.listeners.closeParentCopies()
  life.process = started
  life.lastExit = undefined
  life.state = 'starting'
  host.reaper.tell({ event: 'add', process: started.identity, signal: stopSignal })
  if (started.pid > 0) writeFileAtomically(context.pidFile, `${started.pid}\n`, 0o644)
  logs.note(`start pid ${started.pid}: ${request.join(' ')}`)
  life.exit = recordExit(life, started, context.pidFile)
  life.exit.catch(() => undefined)
}

async function recordExit<C extends object>(
  life: ServerLife<C>,
  running: ServerProcess,
  pidFile: string,
): Promise<ExitInfo> {
  try {
    const exit = await running.exited
    life.lastExit = exit
    life.logs.note(describeExit(exit) ?? 'ended')
    return exit
  } finally {
    life.logs.endRun()
    life.host.reaper.tell({ event: 'del', pid: running.pid })
    removeQuietly(pidFile)
    if (life.process === running && life.state !== 'failed') life.state = 'exited'
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

function refuseWhenCancelled<C extends object>(life: ServerLife<C>): void {
  if (life.cancelled) throw new TestkitError('TK_STATE', `the start of server "${life.name}" was cancelled`)
}
