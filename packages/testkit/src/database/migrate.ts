import { inspect } from 'node:util'
import { maskOutput, secretsIn } from '../config/mask.ts'
import { renderTemplate } from '../config/placeholders.ts'
import { TestkitError, reasonOf } from '../errors.ts'
import { runProgram } from '../process/run.ts'
import type { DatabaseSpec, MigrationContext } from './database-spec.ts'
import { parseDatabaseUrl } from './database-url.ts'
import { libpqEnvironment, overrulingLibpq } from './psql.ts'

/**
 * Makes the schema in an empty database. A command finds the URL in its environment too: there, unlike on its command
 * line, not everybody can read the password. Throws TK_DATABASE_FAILED with the tool's output.
 */
export async function migrate(spec: DatabaseSpec, context: MigrationContext): Promise<void> {
  try {
    if (typeof spec.migrate === 'function') await spec.migrate(context)
    else {
      const dictionary = { dbUrl: context.url, dbPath: context.path, dir: context.dir }
      await runProgram(
        spec.migrate.map((part) => renderTemplate(part, dictionary, { file: 'migrate' })),
        { env: { ...process.env, ...environmentOf(context.url) }, timeoutMs: 120_000, context: 'migration' },
      )
    }
  } catch (cause) {
    throw failed('the migration', cause, context)
  }
}

/** Puts the rows of the spec into a database that has its schema. Throws TK_DATABASE_FAILED. */
export async function seed(spec: DatabaseSpec, context: MigrationContext): Promise<void> {
  try {
    await spec.seed?.(context)
  } catch (cause) {
    throw failed('the seed', cause, context)
  }
}

function environmentOf(url: string): Record<string, string | undefined> {
  const ofServer = parseDatabaseUrl(url).scheme === 'postgres' ? { ...overrulingLibpq, ...libpqEnvironment(url) } : {}
  return { DATABASE_URL: url, ...ofServer }
}

/** Runners print causes as well: one that would tell a secret is left out. */
function failed(what: string, cause: unknown, { url }: MigrationContext): TestkitError {
  const masked = (text: string): string => maskOutput(text, secretsIn({ password: parseDatabaseUrl(url).password }))
  const whole = inspect(cause)
  return new TestkitError(
    'TK_DATABASE_FAILED',
    `${what} failed: ${masked(reasonOf(cause))}`,
    masked(whole) === whole ? { cause } : {},
  )
}

/**
 * What MAINSTAY_TEST_DB_TEMPLATE and the spec say about templates. Of a migration only the text can be seen, not the files
 * that a command reads nor what a function has caught from around it, which may be the whole difference: without `sources`
 * that say what its schema is made from it has no template.
 */
export function templateChoice(
  spec: DatabaseSpec,
): { use: 'cache' } | { use: 'none' } | { use: 'given'; name: string } {
  const wanted = process.env['MAINSTAY_TEST_DB_TEMPLATE'] ?? spec.template
  if (wanted === undefined || wanted === '') {
    return { use: spec.sources === undefined ? 'none' : 'cache' }
  }
  return wanted === false || wanted === 'off' ? { use: 'none' } : { use: 'given', name: wanted }
}
