import { spawn, type ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'

import { MainstayError, errorCode } from '../../../core/errors.ts'

/**
 * How long a hook whose master died has to clean up, in tenths of a second. With the shortest time that a lease still lasts
 * after its holder's death (`leaseMs` less `renewMs`, see leadership.ts) it is gone before another master goes on with its work.
 */
const GRACE_TENTHS = 30

/**
 * Reads `watch GROUP` and `forget GROUP` until its input ends, which it does with the process that holds the other end, however that
 * dies. Then it ends the groups that are left. A group is `PID:START`: the number of its first process and when that began,
 * as /proc tells it, so that a process that got the number later is never touched.
 *
 * A shell, because it has to be there all the time and costs a megabyte.
 */
const SCRIPT = `
trap '' HUP INT QUIT TERM
is_ours() {
  pid=\${1%:*} start=\${1#*:}
  kill -s 0 -- "-$pid" || return 1
  { read -r stat <"/proc/$pid/stat"; } || return 0
  set -- \${stat##*) }
  shift 19
  [ "$start" = '' ] || [ "$1" = "$start" ]
}
end() {
  for group in $groups; do is_ours "$group" && kill -s "$1" -- "-\${group%:*}"; done
}
groups=' '
while read -r what group; do
  case $what in
  watch) groups="$groups$group " ;;
  forget) case $groups in *" $group "*) groups="\${groups%%" $group "*} \${groups#*" $group "}" ;; esac ;;
  esac
done
end TERM
tenths=0
while [ "$tenths" -lt ${GRACE_TENTHS} ]; do
  left=' '
  for group in $groups; do is_ours "$group" && left="$left$group "; done
  groups=$left
  [ "$groups" = ' ' ] && exit
  sleep 0.1
  tenths=$((tenths + 1))
done
end KILL
`

/** What ends hooks with this process cannot be started, so no hook is. */
export class KeeperGoneError extends MainstayError {
  readonly code = 'MS_HOOK_KEEPER_GONE'
  readonly status = 503
  readonly retryable = true

  constructor() {
    super(
      'The program that ends hooks with this process could not be started. It needs /bin/sh and room for a process.',
    )
  }
}

/**
 * Ends process groups that would outlive this process, also when it is killed: a program beside it waits for that.
 *
 *   none ──watch──▶ there ──this process ends──▶ groups told (SIGTERM) ──grace──▶ killed (SIGKILL) ──▶ gone
 *     ▲               │
 *     └──it is killed─┘  the next watch starts another, which is told of all groups
 *
 * Source: vm-pool.md A8 (hooks), C9: limits hold over all masters, so what a dead one began must not run on beside the next.
 */
export class GroupKeeper {
  /** By the number of the group what the keeper calls it. */
  readonly #watched = new Map<number, string>()
  #keeper: ChildProcess | undefined

  /**
   * Watches the group of a process that leads one.
   *
   * @returns once the group would not survive this process
   * @throws KeeperGoneError
   */
  async watch(pid: number): Promise<void> {
    const group = `${pid}:${await startOf(pid)}`
    this.#watched.set(pid, group)
    const running = this.#keeper
    if (running !== undefined && (await tell(running, [group]))) return
    // None yet, or it died just now: the next one has to know of all.
    const keeper = running === this.#keeper || this.#keeper === undefined ? this.#start() : this.#keeper
    if (await tell(keeper, [...this.#watched.values()])) return
    this.#watched.delete(pid)
    throw new KeeperGoneError()
  }

  /** The group has ended. */
  forget(pid: number): void {
    const group = this.#watched.get(pid)
    this.#watched.delete(pid)
    // Without a keeper, or with one that just died, there is nobody to be told.
    if (group !== undefined) this.#keeper?.stdin?.write(`forget ${group}\n`, () => {})
  }

  #start(): ChildProcess {
    const keeper = spawn('/bin/sh', ['-c', SCRIPT, 'hook-keeper'], {
      // What ends this process and its group must not end the keeper.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const lose = (): void => {
      if (this.#keeper === keeper) this.#keeper = undefined
    }
    keeper.on('error', lose)
    keeper.on('exit', lose)
    keeper.stdin.on('error', lose)
    // It ends with this process and must not keep it.
    keeper.unref()
    if ('unref' in keeper.stdin && typeof keeper.stdin.unref === 'function') keeper.stdin.unref()
    this.#keeper = keeper
    return keeper
  }
}

/** @returns whether the keeper will read it, whatever becomes of this process */
async function tell(keeper: ChildProcess, groups: readonly string[]): Promise<boolean> {
  const text = groups.map((group) => `watch ${group}\n`).join('')
  return await new Promise((resolve) => {
    keeper.stdin!.write(text, (error) => resolve(error === null || error === undefined))
  })
}

/** When a process began, in ticks since the machine did; empty where there is no /proc, or the process is gone. */
async function startOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The name before the last bracket may hold anything; the start is the 22nd field of the line.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return ''
    throw error
  }
}
