import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { pollUntil } from '../clock.ts'
import { TestkitError } from '../errors.ts'
import { findExecutable } from '../process/executable.ts'
import { withOwnerMarker } from '../process/owner-marker.ts'
import type { ReaperClient } from '../reaper/reaper-client.ts'
import { shortSocketPath } from '../ports/unix-path.ts'
import { removeQuietly } from '../home.ts'

/** Prints each datagram's lines. Perl is part of every Debian; Node has no UNIX datagram sockets. */
const receiver = [
  'use Socket; $| = 1; my $path = shift;',
  'socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die; bind($s, sockaddr_un($path)) or die;',
  'while (defined(recv($s, my $text, 4096, 0))) { print "$text\\n" }',
].join(' ')

/**
 * The receiving end of systemd's readiness protocol: a server that writes `READY=1` to the socket named in
 * `NOTIFY_SOCKET` is ready. Source: sd_notify(3), testkit.md A7.
 */
export class NotifySocket {
  readonly path: string
  readonly #shortcut: string | undefined
  readonly #child: ChildProcess
  readonly #reaper: ReaperClient
  #ready = false

  private constructor(path: string, shortcut: string | undefined, made: { child: ChildProcess; reaper: ReaperClient }) {
    this.path = path
    this.#shortcut = shortcut
    this.#child = made.child
    this.#reaper = made.reaper
  }

  get ready(): boolean {
    return this.#ready
  }

  /** A new start has sent nothing yet. */
  forget(): void {
    this.#ready = false
  }

  /** Undefined where no receiver can run: then only the line on stdout is understood. */
  static async open(
    wanted: string,
    { onReady, reaper }: { onReady: () => void; reaper: ReaperClient },
  ): Promise<NotifySocket | undefined> {
    const perl = findExecutable('perl')
    if (perl === undefined) return undefined
    const { path, remove } = shortSocketPath(wanted)
    if (remove !== undefined) reaper.tell({ event: 'dir', path: remove })
    removeQuietly(path)
    const child = spawn(perl, ['-e', receiver, path], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: withOwnerMarker(process.env),
    })
    child.on('error', () => undefined)
    const socket = new NotifySocket(path, remove, { child, reaper })
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.trim() !== 'READY=1') return
      socket.#ready = true
      onReady()
    })
    if ((await pollUntil(() => existsSync(path), { timeoutMs: 2000, intervalMs: 5 })) === undefined) {
      socket.close()
      throw new TestkitError('TK_NOT_READY', `the notify socket ${path} could not be opened within 2 s`)
    }
    // As systemd's own: the server may run as another user.
    chmodSync(path, 0o777)
    return socket
  }

  close(): void {
    this.#child.kill('SIGKILL')
    if (this.#shortcut === undefined) return
    removeQuietly(this.#shortcut)
    this.#reaper.tell({ event: 'forget-dir', path: this.#shortcut })
  }
}
