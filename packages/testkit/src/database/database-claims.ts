import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { TestkitError } from '../errors.ts'
import { claimLock, homeDir, readOwner, releaseLock } from '../home.ts'
import type { ReaperClient } from '../reaper/reaper-client.ts'
import { namedDatabase } from './database-url.ts'

/** Name under which the cluster's own database is kept; no server may be called so. */
export const clusterWide = '*'

/**
 * Who uses which named database. Making one empties it, so the second who is given the same one would empty the first
 * one's under its hands: they are told instead, also when they are in another process of this machine.
 */
export class DatabaseClaims {
  readonly #reaper: ReaperClient
  readonly #owners = new Map<string, string>()
  readonly #locks = new Map<string, string>()

  constructor(reaper: ReaperClient) {
    this.#reaper = reaper
  }

  /**
   * Takes the database that a URL names, if it names one.
   *
   * @param owner the server's name, or {@link clusterWide}
   * @returns gives it back
   * @throws TestkitError TK_BAD_SPEC when a server of this cluster has it, TK_DATABASE_REFUSED when somebody else has
   */
  take(url: string, owner: string): () => void {
    const name = namedDatabase(url)
    if (name === undefined) return () => undefined
    const other = this.#owners.get(name)
    if (other !== undefined) throw sharedByAccident(name, other, owner)
    const path = join(homeDir('databases'), `${createHash('sha256').update(name).digest('hex').slice(0, 24)}.lock`)
    if (!claimLock(path)) throw usedElsewhere(name, readOwner(path)?.pid)
    this.#reaper.tell({ event: 'lease', path })
    this.#owners.set(name, owner)
    this.#locks.set(name, path)
    return () => this.#giveBack(name)
  }

  release(): void {
    for (const name of this.#locks.keys()) this.#giveBack(name)
  }

  #giveBack(name: string): void {
    const path = this.#locks.get(name)
    if (path === undefined) return
    this.#owners.delete(name)
    this.#locks.delete(name)
    releaseLock(path)
    this.#reaper.tell({ event: 'forget-lease', path })
  }
}

function sharedByAccident(name: string, first: string, second: string): TestkitError {
  const [a, b] = [first, second].map((owner) => (owner === clusterWide ? 'the cluster' : `server "${owner}"`))
  const remedy =
    first === clusterWide || second === clusterWide
      ? 'declare it once, for the cluster'
      : `declare it once, and { shareWith: '${first}' } for the other`
  return new TestkitError(
    'TK_BAD_SPEC',
    `${a} and ${b} were given the same database ${name}: making it for one empties the other's. ` +
      `To share it, ${remedy}; to have one each, give a URL without a database's name.`,
  )
}

function usedElsewhere(name: string, pid: number | undefined): TestkitError {
  return new TestkitError(
    'TK_DATABASE_REFUSED',
    `database ${name} is not emptied: another cluster${pid === undefined ? '' : ` (pid ${pid})`} is using it. ` +
      "Give a URL without a database's name, and each cluster gets its own.",
  )
}
