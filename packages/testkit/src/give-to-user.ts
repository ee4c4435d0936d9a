import { chownSync, existsSync, lchownSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseDatabaseUrl } from './database/database-url.ts'
import { systemCode } from './errors.ts'
import type { ServerContext } from './spec.ts'

type User = Readonly<{ uid: number; gid: number }>

/**
 * Makes a server's folder, with all that the kit has put into it, and its SQLite file the property of the user that the
 * server runs as: it must read its configuration and write its data and logs. The folder of a database that several servers
 * share is given too, because SQLite keeps its journal beside the file; a folder outside of the cluster's never is.
 *
 * This is for servers that refuse to run as root. It is no protection from a server.
 */
export function giveToUser(user: User, context: ServerContext<object>): void {
  // Nobody else can give files away; and nobody else can run a server as another user.
  if (process.getuid?.() !== 0) return
  giveTree(context.dir, user)
  if (!context.dbUrl.startsWith('sqlite')) return
  const file = parseDatabaseUrl(context.dbUrl).database
  const folder = dirname(file)
  const cluster = dirname(context.dir)
  if (folder === cluster || folder.startsWith(`${cluster}/`)) chownSync(folder, user.uid, user.gid)
  for (const path of [file, `${file}-wal`, `${file}-shm`]) if (existsSync(path)) chownSync(path, user.uid, user.gid)
}

/** What links lead to is somebody else's. A server that is told to reload goes on working with its files meanwhile. */
function giveTree(path: string, user: User): void {
  for (const entry of unlessGone(() => readdirSync(path, { withFileTypes: true })) ?? []) {
    const inside = join(path, entry.name)
    if (entry.isDirectory()) giveTree(inside, user)
    else unlessGone(() => lchownSync(inside, user.uid, user.gid))
  }
  unlessGone(() => lchownSync(path, user.uid, user.gid))
}

function unlessGone<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    return undefined
  }
}
