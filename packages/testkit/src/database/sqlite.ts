import { constants, copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { TestkitError } from '../errors.ts'
import type { DatabaseSpec, MigrationContext, ProvisionedDatabase } from './database-spec.ts'
import { sqliteUrl } from './database-url.ts'
import { migrate, seed, templateChoice } from './migrate.ts'
import { assertDisposableFile, removeSqliteFile } from './sqlite-file.ts'
import { cachedFolder, templateKey } from './template-cache.ts'

const fileName = 'template.sqlite'
const migrationTables = /migrat|alembic_version|schema_version/i

/**
 * A SQLite file made from the template. Source: testkit.md A6. Throws TK_DATABASE_REFUSED for a file that is somebody's.
 *
 * @param ownFolder the cluster's: in it every file is the kit's own
 */
export function sqliteDatabase(spec: DatabaseSpec, path: string, ownFolder: string): ProvisionedDatabase {
  const fill = async (): Promise<void> => {
    assertDisposableFile(path, ownFolder)
    mkdirSync(dirname(path), { recursive: true, mode: 0o711 })
    removeSqliteFile(path)
    const template = await templateOf(spec)
    if (template === undefined) await build(spec, path)
    else copyFileSync(template, path, constants.COPYFILE_FICLONE)
    await seed(spec, place(path))
  }
  let connection: DatabaseSync | undefined
  const open = async (): Promise<DatabaseSync> => {
    const { DatabaseSync } = await import('node:sqlite')
    connection ??= new DatabaseSync(path, { timeout: 5000 })
    return connection
  }
  const close = (): void => {
    connection?.close()
    connection = undefined
  }
  return {
    engine: 'sqlite',
    url: sqliteUrl(path),
    async sql(statement, params) {
      const rows = (await open()).prepare(statement).all(...(params as SQLInputValue[]))
      return rows.map((row) => ({ ...row }))
    },
    async reset({ live }) {
      if (live) {
        truncate(await open())
        return await seed(spec, place(path))
      }
      close()
      await fill()
    },
    close: async () => close(),
    // The file goes with the cluster's folder, and stays with it when the test failed.
    drop: async () => undefined,
  }
}

async function templateOf(spec: DatabaseSpec): Promise<string | undefined> {
  const choice = templateChoice(spec)
  if (choice.use === 'none') return undefined
  if (choice.use === 'given') {
    if (statSync(choice.name, { throwIfNoEntry: false })?.isFile() === true) return choice.name
    throw new TestkitError(
      'TK_DATABASE_FAILED',
      `the database template ${choice.name} does not exist (MAINSTAY_TEST_DB_TEMPLATE)`,
    )
  }
  const folder = await cachedFolder('sqlite', templateKey(spec, process.versions['sqlite'] ?? ''), async (dir) => {
    await build(spec, join(dir, fileName))
  })
  return join(folder, fileName)
}

function place(path: string): MigrationContext {
  return { url: sqliteUrl(path), path, dir: dirname(path) }
}

/** Migrates into a new file, and folds the write-ahead log into it: only the one file is copied. */
async function build(spec: DatabaseSpec, path: string): Promise<void> {
  await migrate(spec, place(path))
  if (!existsSync(path)) {
    throw new TestkitError('TK_DATABASE_FAILED', `the migration ended well but made no file ${path}`)
  }
  const { DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(path)
  database.exec('pragma wal_checkpoint(truncate)')
  database.close()
}

/** While a server has the file open it cannot be replaced: all rows go, except the migrations'. */
function truncate(database: DatabaseSync): void {
  const tables = database
    .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'")
    .all()
    .map((row) => String(row['name']))
    .filter((name) => !migrationTables.test(name))
  database.exec('pragma foreign_keys = off; begin immediate')
  for (const name of tables) database.exec(`delete from "${name.replaceAll('"', '""')}"`)
  database.exec('commit; pragma foreign_keys = on')
}
