import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { pollUntil } from '../clock.ts'
import { homeDir } from '../home.ts'
import { requireProgram } from '../process/executable.ts'
import { ownerMarker } from '../process/owner-marker.ts'
import { signalGroup, type ProcessIdentity } from '../process/process-table.ts'
import type { ReaperEvent } from './reaper-events.ts'

/**
 * The test process's end of the reaper: one helper per process, started with the first cluster, in a session of its own
 * so that neither a terminal's Ctrl-C nor a kill of the runner's group reaches it. It learns of our death by the end of
 * the pipe, which the kernel closes however we die.
 */
export interface ReaperClient {
  readonly pid: number | undefined
  tell(event: ReaperEvent): void
  /** The groups that are known to run: killed at once when this process exits without cleaning up. */
  killGroups(): void
  /**
   * Says goodbye; resolves when the reaper has ended, by force after `limitMs` (default 5 s). Only for the end of a process or
   * a test of the kit.
   */
  bye(limitMs?: number): Promise<void>
}

interface RunningReaper extends ReaperClient {
  /** The synchronous part of an end without clean-up. */
  onExit(): void
}

/** Source: testkit.md A10. */
const byeLimitMs = 5000
/** After SIGKILL only a system call that cannot be interrupted keeps a process. */
const killLimitMs = 5000

let current: RunningReaper | undefined

// With the module, not with the first cluster: a listener that a test adds looks like one that the test forgot.
process.once('exit', () => current?.onExit())

/** The reaper of this process. */
export function reaper(): ReaperClient {
  current ??= startReaper()
  return current
}

function startReaper(): RunningReaper {
  const child = spawnReaper()
  const groups = new Map<number, ProcessIdentity>()
  const client: RunningReaper = {
    pid: child.pid,
    tell(event) {
      if (event.event === 'add') groups.set(event.process.pid, event.process)
      if (event.event === 'del') groups.delete(event.pid)
      child.stdin?.write(`${JSON.stringify(event)}\n`)
    },
    killGroups: () => killAll(groups.values()),
    onExit() {
      // No goodbye: whatever is still in its books (a mount, a database, a helper) is the reaper's to undo.
      killAll(groups.values())
    },
    async bye(limitMs = byeLimitMs) {
      current = undefined
      client.tell({ event: 'bye' })
      const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null
      if ((await pollUntil(hasEnded, { timeoutMs: limitMs, intervalMs: 5 })) === true) return
      // All that it may still be at is its sweep, which the next run's does as well.
      child.kill('SIGKILL')
      await pollUntil(hasEnded, { timeoutMs: killLimitMs, intervalMs: 5 })
    },
  }
  client.tell({ event: 'run', marker: `${ownerMarker.name}=${ownerMarker.value}` })
  client.tell({ event: 'sweep', home: homeDir() })
  return client
}

function spawnReaper(): ChildProcess {
  const main = import.meta.url.endsWith('.ts') ? './reaper-main.ts' : './reaper-main.js'
  const child = spawn(requireProgram(process.execPath), [fileURLToPath(new URL(main, import.meta.url))], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: process.env['PATH'] },
  })
  child.unref()
  // Without a reaper the tests still run; a broken pipe must not fail them.
  child.stdin?.on('error', () => undefined)
  if (child.stdin !== null && 'unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref()
  child.on('error', () => undefined)
  return child
}

function killAll(leaders: Iterable<ProcessIdentity>): void {
  for (const leader of leaders) signalGroup(leader, 'SIGKILL')
}
