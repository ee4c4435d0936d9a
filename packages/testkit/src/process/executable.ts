import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, resolve } from 'node:path'
import { TestkitError, systemCode } from '../errors.ts'

/** Debian's package for programs that functional tests often want. */
const packages: Readonly<Record<string, string>> = {
  'redis-server': 'redis-server',
  'valkey-server': 'valkey-server',
  postgres: 'postgresql',
  psql: 'postgresql-client',
  initdb: 'postgresql',
  mariadbd: 'mariadb-server',
  mariadb: 'mariadb-client',
  'mariadb-dump': 'mariadb-client',
  'mariadb-install-db': 'mariadb-server',
  'rabbitmq-server': 'rabbitmq-server',
  'glance-api': 'glance-api',
  'glance-scrubber': 'glance-common',
  'glance-manage': 'glance-common',
  'keystone-wsgi-public': 'keystone',
  'keystone-manage': 'keystone',
  'masakari-wsgi': 'masakari-api',
  'masakari-manage': 'masakari-common',
  'masakari-engine': 'masakari-engine',
  strace: 'strace',
  setpriv: 'util-linux',
  prlimit: 'util-linux',
}

/** The Debian package that usually provides a program. */
export function packageOf(program: string): string | undefined {
  return packages[program]
}

/**
 * The full path of a program, or undefined.
 *
 * @param searchPath folders separated as in `PATH`; the places where Debian keeps servers are searched after them
 */
export function findExecutable(
  program: string,
  options: { searchPath?: string | undefined; cwd?: string } = {},
): string | undefined {
  if (program.includes('/')) {
    const path = isAbsolute(program) ? program : resolve(options.cwd ?? process.cwd(), program)
    return isExecutable(path) ? path : undefined
  }
  const folders = (options.searchPath ?? process.env['PATH'] ?? '').split(delimiter)
  return [...folders, '/usr/local/sbin', '/usr/sbin', '/sbin']
    .filter((folder) => folder !== '')
    .map((folder) => resolve(folder, program))
    .find(isExecutable)
}

/** As {@link findExecutable}, but says what is missing and how to get it. Throws TK_CANNOT_EXECUTE. */
export function requireProgram(
  program: string,
  options: { searchPath?: string | undefined; cwd?: string } = {},
): string {
  const found = findExecutable(program, options)
  if (found !== undefined) return found
  const base = program.slice(program.lastIndexOf('/') + 1)
  const remedy = packages[base] === undefined ? '' : ` Install it: apt-get install ${packages[base]}.`
  const path = options.searchPath ?? process.env['PATH'] ?? ''
  throw new TestkitError('TK_CANNOT_EXECUTE', `cannot execute ${program}: no such program (PATH=${path}).${remedy}`)
}

/** Node blames the program for a working folder that is not there. Throws TK_CANNOT_EXECUTE. */
export function requireFolder(program: string, cwd: string): void {
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() === true) return
  throw new TestkitError('TK_CANNOT_EXECUTE', `cannot execute ${program}: its working folder ${cwd} is not a folder`)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false
    throw error
  }
}
