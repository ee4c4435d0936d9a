import { mkdirSync, realpathSync, statfsSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { TestkitError, systemCode } from '../errors.ts'
import { removeQuietly } from '../home.ts'
import { pathInside } from '../inside.ts'
import { findExecutable } from '../process/executable.ts'
import { runProgram } from '../process/run.ts'
import { mountSource, ownMountsIn } from '../reaper/mounts.ts'
import type { ReaperClient } from '../reaper/reaper-client.ts'

/** A small file system in memory, mounted on a folder of the test, that can be filled to the last byte and freed again. */
export class DiskLimit {
  readonly folder: string
  readonly #reaper: ReaperClient
  #mounted = true

  private constructor(folder: string, reaper: ReaperClient) {
    this.folder = folder
    this.#reaper = reaper
  }

  /** Why a disk limit is not possible here, or undefined. Ask before anything is created. */
  static unavailable(): string | undefined {
    if (process.platform !== 'linux') return 'a small file system can be mounted on Linux only'
    if (process.getuid?.() !== 0) return 'mounting a small file system needs root'
    return findExecutable('mount') === undefined ? 'mount not found: apt-get install mount' : undefined
  }

  /**
   * @param dir the cluster's folder
   * @param given a folder below it, made when it is not there: what is mounted anywhere else hides files of others
   * @throws TestkitError TK_FAULT_UNSUPPORTED, TK_BAD_SPEC
   */
  static async mount(
    dir: string,
    given: string,
    options: { sizeBytes: number; reaper: ReaperClient },
  ): Promise<DiskLimit> {
    const reason = DiskLimit.unavailable()
    if (reason !== undefined) throw new TestkitError('TK_FAULT_UNSUPPORTED', reason)
    pathInside(dir, relative(dir, resolve(given)), 'small disk')
    mkdirSync(given, { recursive: true })
    // The system mounts on what a link leads to.
    const folder = realpathSync(given)
    pathInside(realpathSync(dir), relative(realpathSync(dir), folder), 'small disk')
    options.reaper.tell({ event: 'mount', path: folder })
    await runProgram(['mount', '-t', 'tmpfs', '-o', `size=${options.sizeBytes},mode=0711`, mountSource, folder])
    return new DiskLimit(folder, options.reaper)
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder)
    return bavail * bsize
  }

  /** From now on every write below the folder fails with ENOSPC. */
  fill(): void {
    const block = Buffer.alloc(4096)
    for (;;) {
      try {
        writeFileSync(this.#filler, block, { flag: 'a' })
      } catch (error) {
        if (systemCode(error) === 'ENOSPC') return
        throw error
      }
    }
  }

  /** Gives the space back. */
  free(): void {
    removeQuietly(this.#filler)
  }

  /** Unmounts, and looks that it is unmounted. */
  async undo(): Promise<void> {
    if (!this.#mounted) return
    await runProgram(['umount', this.folder])
    if (ownMountsIn(this.folder).includes(this.folder)) {
      throw new TestkitError('TK_FAULT_UNSUPPORTED', `${this.folder} is still mounted after umount`)
    }
    this.#mounted = false
    this.#reaper.tell({ event: 'forget-mount', path: this.folder })
  }

  get #filler(): string {
    return join(this.folder, '.filler')
  }
}
