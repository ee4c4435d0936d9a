import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { open, readFile, readdir, realpath, rename, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join, resolve } from 'node:path'

import { makeDirectory } from '../../core/make-directory.ts'
import { errorCode } from '../../core/errors.ts'
import { SpoolBusyError } from '../errors.ts'
import type { SpoolDirectory, SpoolFile } from './spool-directory.ts'

const PRIVATE_DIRECTORY = 0o700
const PRIVATE_FILE = 0o600

/**
 * A directory of this machine, for one process at a time. The lock is a name in the kernel's abstract socket
 * namespace: it ends with its holder however that dies, so there is no stale lock to clean up.
 */
export class NodeSpoolDirectory implements SpoolDirectory {
  readonly path: string
  readonly #lock: Server

  private constructor(path: string, lock: Server) {
    this.path = path
    this.#lock = lock
  }

  /** @throws SpoolBusyError when another process holds it */
  static async lock(path: string): Promise<NodeSpoolDirectory> {
    return new NodeSpoolDirectory(path, await takeLock(path))
  }

  async list(): Promise<string[]> {
    makeDirectory(this.path, PRIVATE_DIRECTORY)
    return await readdir(this.path)
  }

  async read(name: string): Promise<string> {
    return await readFile(join(this.path, name), 'utf8')
  }

  async append(name: string): Promise<SpoolFile> {
    makeDirectory(this.path, PRIVATE_DIRECTORY)
    const file = await open(join(this.path, name), 'a', PRIVATE_FILE)
    return {
      write: async (text) => await file.appendFile(text),
      sync: async () => await file.datasync(),
      close: async () => await file.close(),
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(join(this.path, from), join(this.path, to))
    const directory = await open(this.path, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.path, name), { force: true })
  }

  async close(): Promise<void> {
    this.#lock.close()
    await once(this.#lock, 'close')
  }
}

async function takeLock(path: string): Promise<Server> {
  const digest = createHash('sha256')
    .update(await canonicalPath(path))
    .digest('hex')
  const server = createServer((socket) => socket.destroy())
  server.listen(`\0mainstay-spool-${digest}`)
  try {
    await once(server, 'listening')
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') throw new SpoolBusyError(path, { cause: error })
    throw error
  }
  return server
}

/** The path that all names of the directory share. One that cannot be made is nobody's yet: its name will do. */
async function canonicalPath(path: string): Promise<string> {
  try {
    makeDirectory(path, PRIVATE_DIRECTORY)
    return await realpath(path)
  } catch (error) {
    if (errorCode(error) === undefined) throw error
    return resolve(path)
  }
}
