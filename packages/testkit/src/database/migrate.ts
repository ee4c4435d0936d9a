import { renderTemplate } from '../config/placeholders.ts'
import { TestkitError, reasonOf } from '../errors.ts'
import { runProgram } from '../process/run.ts'
import type { DatabaseSpec, MigrationContext } from './database-spec.ts'

/** Makes the schema in an empty database. Throws TK_DATABASE_FAILED with the tool's output. */
export async function migrate(spec: DatabaseSpec, context: MigrationContext): Promise<void> {
  try {
    if (typeof spec.migrate === 'function') await spec.migrate(context)
    else {
      const dictionary = { dbUrl: context.url, dbPath: context.path, dir: context.dir }
      await runProgram(
        spec.migrate.map((part) => renderTemplate(part, dictionary, { file: 'migrate' })),
        { timeoutMs: 120_000, context: 'migration' },
      )
    }
  } catch (cause) {
    throw new TestkitError('TK_DATABASE_FAILED', `the migration failed: ${reasonOf(cause)}`, { cause })
  }
}

/** Puts the rows of the spec into a database that has its schema. Throws TK_DATABASE_FAILED. */
export async function seed(spec: DatabaseSpec, context: MigrationContext): Promise<void> {
  try {
    await spec.seed?.(context)
  } catch (cause) {
    throw new TestkitError('TK_DATABASE_FAILED', `the seed failed: ${reasonOf(cause)}`, { cause })
  }
}

/**
 * What MAINSTAY_TEST_DB_TEMPLATE and the spec say about templates. Of a function only the text can be seen, not what it
 * has caught from around it, which may be the whole difference: without `sources` that say what its schema is made from
 * it has no template.
 */
export function templateChoice(
  spec: DatabaseSpec,
): { use: 'cache' } | { use: 'none' } | { use: 'given'; name: string } {
  const wanted = process.env['MAINSTAY_TEST_DB_TEMPLATE'] ?? spec.template
  if (wanted === undefined || wanted === '') {
    return typeof spec.migrate === 'function' && spec.sources === undefined ? { use: 'none' } : { use: 'cache' }
  }
  return wanted === false || wanted === 'off' ? { use: 'none' } : { use: 'given', name: wanted }
}
