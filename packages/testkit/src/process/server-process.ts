import { spawn, type ChildProcess } from 'node:child_process'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { monotonicMs, pollUntil } from '../clock.ts'
import { TestkitError } from '../errors.ts'
import type { ExitInfo, StopPolicy } from '../spec.ts'
import {
  anyInExec,
  findByEnvironment,
  groupLedBy,
  hasGroup,
  hasProcessTable,
  identityOf,
  isAlive,
  readProcess,
  sendSignal,
  signalGroup,
  signalProcess,
  type ProcessEntry,
  type ProcessIdentity,
} from './process-table.ts'
import { stopTimes } from './stop-times.ts'

/** Everything needed to start one process; descriptors stand in the child from 3 on, in order. */
export interface SpawnRequest {
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly user: { readonly uid: number; readonly gid: number } | undefined
  readonly descriptors: readonly number[]
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void
  /** Environment entries by which descendants that left the group are found. */
  readonly marker: readonly string[]
  /** Told once, when neither the process nor anything that it left behind is there any more. */
  readonly onGone?: (pid: number) => void
}

/** Output may still be on its way when the exit is known: it is over when none came for so long. */
const outputQuietMs = 100
/** A descendant may hold the pipe, and write, for ever. */
const outputLimitMs = 2000
/** How long a program may take to be loaded before it is looked for without it. */
const execLimitMs = 1000
/** After SIGKILL only a system call that cannot be interrupted keeps a process. */
const killDeadlineMs = 10_000

interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/**
 * A process that leads its own session and group.
 *
 *   running ──signal to the leader──▶ ──graceMs: to the group──▶ ──killAfterMs: SIGKILL to the group──▶ ended
 *   ended ──its output has been read──▶ exited ──what it left behind is ended──▶ (nothing of it is left)
 *
 * Invariant: nothing is signalled by number alone; whoever is signalled was looked at with its start time just before.
 * After the leader's end no member of the group and no descendant with the marker is left. Source: testkit.md A5.3.
 */
export class ServerProcess {
  readonly identity: ProcessIdentity
  readonly exited: Promise<ExitInfo>
  /** Aborts when the process has ended and its output has been read. */
  readonly ended: AbortSignal
  readonly #child: ChildProcess
  readonly #marker: readonly string[]
  readonly #onGone: ((pid: number) => void) | undefined
  readonly #end: Promise<End>
  #hasEnded = false
  #exit: ExitInfo | undefined
  /** A stop and a kill may be under way together: an end by the signal of either was asked for. */
  readonly #askedBy = new Set<NodeJS.Signals>()
  #expected: StopPolicy['expectExit']
  #escalated = false
  #stragglers: Promise<void> | undefined

  constructor(request: SpawnRequest) {
    const [program = '', ...args] = request.command
    this.#marker = request.marker
    this.#onGone = request.onGone
    this.#child = spawn(program, args, {
      cwd: request.cwd,
      env: { ...request.env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', ...request.descriptors],
      ...request.user,
    })
    const ended = new AbortController()
    this.ended = ended.signal
    this.#end = this.#watchEnd(request)
    this.exited = this.#watchOutput(request, ended)
    // Whoever does not wait for the end is not to be punished by its failure.
    this.#end.catch(() => undefined)
    this.exited.catch(() => undefined)
    this.identity = identityOf(this.#child.pid ?? 0)
  }

  get pid(): number {
    return this.identity.pid
  }

  get exit(): ExitInfo | undefined {
    return this.#exit
  }

  /** False when there is nobody left to receive it. */
  signal(signal: NodeJS.Signals, to: 'leader' | 'group' = 'leader'): boolean {
    return !this.#hasEnded && signalProcess(this.identity, signal, to)
  }

  /** The living members of the group. */
  members(): ProcessEntry[] {
    return groupLedBy(this.identity)
  }

  /** Ends it within the policy's deadline, and what it left behind. Throws TK_STOP_FAILED. */
  async stop(policy: StopPolicy): Promise<ExitInfo> {
    const exit = await this.end(policy)
    await this.removeStragglers()
    return exit
  }

  /** Ends the leader, and by escalation the group. Throws TK_STOP_FAILED when even SIGKILL did not end the leader. */
  async end(policy: StopPolicy): Promise<ExitInfo> {
    const { signal = 'SIGTERM', group = true } = policy
    const { graceMs, killAfterMs, deadlineMs } = stopTimes(policy)
    const harder = group ? 'group' : 'leader'
    const startedAt = monotonicMs()
    const endsBy = async (ms: number): Promise<boolean> => await this.endsWithin(startedAt + ms - monotonicMs())
    this.#askedBy.add(signal)
    this.#expected = policy.expectExit
    this.signal(signal)
    this.signal('SIGCONT', 'group')
    if (!(await endsBy(graceMs))) {
      this.#escalated = true
      this.signal(signal, harder)
      if (!(await endsBy(killAfterMs))) {
        this.signal('SIGKILL', harder)
        if (!(await endsBy(deadlineMs))) throw this.#stillRuns(`${deadlineMs} ms after ${signal} and SIGKILL`)
      }
    }
    return await this.exited
  }

  /**
   * A fault, not a stop: the signal goes to the whole group, and nothing harder follows.
   *
   * @throws TestkitError TK_STOP_FAILED when it has not ended after `deadlineMs`, default 10 s
   */
  async kill(signal: NodeJS.Signals, deadlineMs: number = killDeadlineMs): Promise<ExitInfo> {
    this.#askedBy.add(signal)
    this.signal(signal, 'group')
    if (signal !== 'SIGKILL') this.signal('SIGCONT', 'group')
    if (!(await this.endsWithin(deadlineMs))) throw this.#stillRuns(`${deadlineMs} ms after ${signal}`)
    const exit = await this.exited
    await this.removeStragglers()
    return exit
  }

  /**
   * Ends what the leader left behind: members of the group, and descendants that moved out of it. Once: whoever asks
   * again waits for the same work, so nothing of it is under way any more when the first who asked goes on.
   */
  async removeStragglers(): Promise<void> {
    this.#stragglers ??= this.#endStragglers()
    await this.#stragglers
  }

  /** Whether it ends by itself in this time. */
  async endsWithin(ms: number): Promise<boolean> {
    if (this.#hasEnded) return true
    const late = new AbortController()
    try {
      return await Promise.race([this.#end.then(() => true), delay(Math.max(0, ms), false, { signal: late.signal })])
    } finally {
      late.abort()
    }
  }

  async #endStragglers(): Promise<void> {
    const members = this.members().filter(isAlive)
    for (const { pid } of members) sendSignal(pid, 'SIGKILL')
    if (!hasProcessTable) await this.#endUnseenGroup()
    await endStragglers(this.#marker, members)
    if (this.pid > 0) this.#onGone?.(this.pid)
  }

  /** The leader has ended: a living process of its number is a stranger, and its group with it. */
  async #endUnseenGroup(): Promise<void> {
    if (isAlive(this.identity) || !signalGroup(this.identity, 'SIGKILL')) return
    await pollUntil(() => !hasGroup(this.identity), { timeoutMs: 2000 })
  }

  #stillRuns(when: string): TestkitError {
    const state = readProcess(this.pid)?.state ?? '?'
    return new TestkitError('TK_STOP_FAILED', `process ${this.pid} still runs (state ${state}) ${when}`)
  }

  async #watchEnd(request: SpawnRequest): Promise<End> {
    try {
      return await new Promise<End>((resolve, reject) => {
        this.#child.once('error', (cause) =>
          reject(
            new TestkitError('TK_CANNOT_EXECUTE', `cannot execute ${request.command.join(' ')}: ${cause.message}`, {
              cause,
            }),
          ),
        )
        this.#child.once('exit', (code, signal) => resolve({ code, signal }))
      })
    } finally {
      this.#hasEnded = true
    }
  }

  async #watchOutput(request: SpawnRequest, ended: AbortController): Promise<ExitInfo> {
    const child = this.#child
    let heardAt = 0
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream]?.on('data', (chunk: Buffer) => {
        heardAt = monotonicMs()
        request.onOutput(stream, chunk)
      })
    }
    let closed = false
    child.once('close', () => {
      closed = true
    })
    try {
      const { code, signal } = await this.#end
      const exitedAt = monotonicMs()
      // A starved loop sees its timers before its pipes: each look comes after a turn that has read them.
      await pollUntil(
        async () => {
          await nextTurn()
          return closed || monotonicMs() - Math.max(heardAt, exitedAt) >= outputQuietMs
        },
        { timeoutMs: outputLimitMs, intervalMs: 5 },
      )
      this.#exit = { code, signal, escalated: this.#escalated, clean: this.#isClean(code, signal) }
      return this.#exit
    } finally {
      child.stdout?.destroy()
      child.stderr?.destroy()
      ended.abort()
    }
  }

  #isClean(code: number | null, signal: NodeJS.Signals | null): boolean {
    if (signal !== null) return this.#askedBy.has(signal)
    if (code === 0) return true
    const expected = this.#expected
    if (expected === undefined || expected === 'signal' || code === null) return false
    return typeof expected === 'number' ? code === expected : expected.includes(code)
  }
}

/**
 * Ends the processes that carry all entries of a marker in their environment: politely, then by force.
 *
 * @param ending processes that were killed just now, which are waited for too
 */
export async function endStragglers(marker: readonly string[], ending: readonly ProcessEntry[] = []): Promise<void> {
  await pollUntil(() => !anyInExec(), { timeoutMs: execLimitMs })
  const first = findByEnvironment(marker)
  for (const entry of first) if (isAlive(entry)) sendSignal(entry.pid, 'SIGTERM')
  for (const entry of first) if (isAlive(entry)) sendSignal(entry.pid, 'SIGCONT')
  let seen = [...ending, ...first]
  // One that is ending loses its environment before it ends, so those that were seen are looked for by their numbers too.
  const left = (): readonly ProcessEntry[] => {
    const byPid = new Map([...seen, ...findByEnvironment(marker)].map((entry) => [entry.pid, entry]))
    seen = [...byPid.values()].filter(isAlive)
    return seen
  }
  if (left().length === 0) return
  await pollUntil(() => left().length === 0, { timeoutMs: 500 })
  await pollUntil(
    () => {
      const running = left()
      for (const { pid } of running) sendSignal(pid, 'SIGKILL')
      return running.length === 0
    },
    { timeoutMs: 2000 },
  )
}
