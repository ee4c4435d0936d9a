import { lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'

import { errorCode } from '../core/errors.ts'

/**
 * Removes the file of a Unix socket on which nobody listens any more, as a process leaves it that ended at once.
 *
 * @returns whether it was removed; never anything else than a socket, nor one that answers
 */
export async function removeAbandonedSocket(path: string): Promise<boolean> {
  const found = await lstat(path)
  if (!found.isSocket() || !(await isRefused(path))) return false
  await unlink(path)
  return true
}

async function isRefused(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path)
    const answer = (refused: boolean): void => {
      socket.destroy()
      resolve(refused)
    }
    socket.once('connect', () => answer(false))
    socket.once('error', (error) => answer(errorCode(error) === 'ECONNREFUSED'))
  })
}
