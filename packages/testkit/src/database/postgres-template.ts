import { join } from 'node:path'
import { pollUntil } from '../clock.ts'
import { TestkitError, reasonOf } from '../errors.ts'
import { claimLock, homeDir, releaseLock } from '../home.ts'
import type { DatabaseSpec } from './database-spec.ts'
import { parseDatabaseUrl, withDatabase } from './database-url.ts'
import { migrate, templateChoice } from './migrate.ts'
import { admin, adminDatabase, postgresSql, quoteLiteral, quoteName } from './psql.ts'
import { keptTemplates, templateKey, untouchedMs } from './template-cache.ts'

/** Begins the comment of a template database, and is followed by the time of its last use. */
const lastUsed = 'made by @mainstay/testkit, last used '

/**
 * Makes a database as a copy of the template that the spec's migration makes, when it has one.
 *
 * @param scratch a database name that is this one's alone: in it the template is made, and takes its own name when it is
 * whole, so that one whose migration failed is never seen by others
 * @returns whether there is a template; if not, nothing was made
 */
export async function copyOfTemplate(
  spec: DatabaseSpec,
  where: { url: string; name: string; scratch: string },
): Promise<boolean> {
  const { url, name } = where
  const choice = templateChoice(spec)
  if (choice.use === 'none') return false
  const copy = (template: string): string => `create database ${quoteName(name)} template ${quoteName(template)}`
  if (choice.use === 'given') {
    if (!(await exists(url, choice.name))) {
      throw new TestkitError(
        'TK_DATABASE_FAILED',
        `the server has no template database "${choice.name}" (MAINSTAY_TEST_DB_TEMPLATE)`,
      )
    }
    await withNobodyIn(url, choice.name, () => admin(url, copy(choice.name)))
    return true
  }
  const [version] = await postgresSql(
    withDatabase(url, adminDatabase),
    "select current_setting('server_version') as version",
  )
  const template = `tpl_${templateKey(spec, String(version?.['version']))}`
  for (let tries = 3; ; tries--) {
    await makeTemplate(spec, { ...where, template })
    try {
      await withNobodyIn(url, template, () => admin(url, noteUse(template), copy(template)))
      return true
    } catch (error) {
      // Somebody else may have removed it as the oldest after we have seen it.
      if (tries === 1 || (await exists(url, template))) throw error
    }
  }
}

/** Makes the template, unless it is there; whoever comes while another makes it waits. */
async function makeTemplate(
  spec: DatabaseSpec,
  where: { url: string; template: string; scratch: string },
): Promise<void> {
  const { url, template } = where
  const { host, port } = parseDatabaseUrl(url)
  const server = `${host.replaceAll(/[^\w.-]/g, '_')}-${port ?? 5432}`
  const lock = join(homeDir('templates'), `postgres-${server}-${template}.lock`)
  const ready = await pollUntil(
    async () => {
      if (await exists(url, template)) return true
      if (!claimLock(lock)) return false
      try {
        if (!(await exists(url, template))) await buildTemplate(spec, where)
      } finally {
        releaseLock(lock)
      }
      return true
    },
    { timeoutMs: 180_000, intervalMs: 50 },
  )
  if (ready === undefined)
    throw new TestkitError('TK_DATABASE_FAILED', `template ${template} was not finished by another process`)
}

async function buildTemplate(
  spec: DatabaseSpec,
  { url, template, scratch }: { url: string; template: string; scratch: string },
): Promise<void> {
  await admin(url, `create database ${quoteName(scratch)}`)
  await migrate(spec, { url: withDatabase(url, scratch), path: '', dir: '' })
  await endConnections(url, scratch)
  await admin(url, noteUse(scratch), `alter database ${quoteName(scratch)} rename to ${quoteName(template)}`)
  await removeOldest(url, template)
}

/** Those of the kit's templates on this server that were not used for longest, beyond the number that is kept. */
async function removeOldest(url: string, made: string): Promise<void> {
  const longAgo = noteOf(Date.now() - untouchedMs)
  const own = await postgresSql(
    withDatabase(url, adminDatabase),
    `select name, note from (
       select datname as name, shobj_description(oid, 'pg_database') as note from pg_database
       where datname <> ${quoteLiteral(made)} and pg_get_userbyid(datdba) = current_user
     ) mine where note like ${quoteLiteral(`${lastUsed}%`)} order by note desc offset ${keptTemplates - 1}`,
  )
  for (const { name, note } of own) {
    if (String(note) < longAgo) await admin(url, `drop database if exists ${quoteName(String(name))} with (force)`)
  }
}

function noteUse(template: string): string {
  return `comment on database ${quoteName(template)} is ${quoteLiteral(noteOf(Date.now()))}`
}

function noteOf(ms: number): string {
  return lastUsed + new Date(ms).toISOString()
}

/** PostgreSQL copies a database only while nobody is connected to it. */
async function withNobodyIn(url: string, template: string, copy: () => Promise<void>): Promise<void> {
  const attempts = 5
  for (let attempt = 1; ; attempt++) {
    try {
      await copy()
      return
    } catch (error) {
      if (attempt === attempts || !/being accessed by other users/.test(reasonOf(error))) throw error
      await endConnections(url, template)
    }
  }
}

async function endConnections(url: string, database: string): Promise<void> {
  const text = `select pg_terminate_backend(pid) from pg_stat_activity where datname = ${quoteLiteral(database)} and pid <> pg_backend_pid()`
  await postgresSql(withDatabase(url, adminDatabase), text)
}

async function exists(url: string, name: string): Promise<boolean> {
  const rows = await postgresSql(
    withDatabase(url, adminDatabase),
    `select 1 as one from pg_database where datname = ${quoteLiteral(name)}`,
  )
  return rows.length > 0
}
