import { chmodSync, mkdtempSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, basename, join } from 'node:path'

/** One byte of the 103 is kept for the name under which the socket is bound first. */
const longestPath = 102

/**
 * A path for a UNIX socket that the kernel accepts (at most 103 bytes): the wanted one, or the same file through a
 * short symlinked folder, which the caller removes.
 */
export function shortSocketPath(wanted: string): { path: string; remove: string | undefined } {
  if (Buffer.byteLength(wanted) <= longestPath) return { path: wanted, remove: undefined }
  const folder = mkdtempSync(join(tmpdir(), 'mtk-'))
  // Passable, as the folders that it leads to: a server may run as another user.
  chmodSync(folder, 0o711)
  symlinkSync(dirname(wanted), join(folder, 'd'))
  return { path: join(folder, 'd', basename(wanted)), remove: folder }
}
