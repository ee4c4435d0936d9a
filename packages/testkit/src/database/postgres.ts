import type { DatabaseSpec, ProvisionedDatabase } from './database-spec.ts'
import { assertDisposable, parseDatabaseUrl, withDatabase } from './database-url.ts'
import { migrate, seed } from './migrate.ts'
import { copyOfTemplate } from './postgres-template.ts'
import { admin, adminDatabase, postgresSql, psqlCommand, quoteName } from './psql.ts'

/** A database on a running server, copied from a template database there. Source: testkit.md A6. */
export function postgresDatabase(spec: DatabaseSpec, url: string, freshName: string): ProvisionedDatabase {
  const named = parseDatabaseUrl(url).database
  const name = named === '' || named === adminDatabase ? freshName : named
  assertDisposable(name)
  const own = withDatabase(url, name)
  const scratch = `${freshName}_tpl`
  const drops = [name, scratch].map((each) => `drop database if exists ${quoteName(each)} with (force)`)
  return {
    engine: 'postgres',
    url: own,
    sql: (statement, params) => postgresSql(own, statement, params),
    async reset() {
      await admin(url, ...drops)
      if (!(await copyOfTemplate(spec, { url, name, scratch }))) {
        await admin(url, `create database ${quoteName(name)}`)
        await migrate(spec, { url: own, path: '', dir: '' })
      }
      await seed(spec, { url: own, path: '', dir: '' })
    },
    close: async () => undefined,
    drop: () => admin(url, ...drops),
    dropCommand: psqlCommand(withDatabase(url, adminDatabase), drops),
  }
}

/** Drops and makes again, empty. Throws TK_DATABASE_REFUSED. */
export async function recreatePostgres(url: string): Promise<void> {
  const { database } = parseDatabaseUrl(url)
  assertDisposable(database)
  const name = quoteName(database)
  await admin(url, `drop database if exists ${name} with (force)`, `create database ${name}`)
}
