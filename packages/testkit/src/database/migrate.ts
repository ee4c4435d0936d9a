import { renderTemplate } from '../config/placeholders.ts'
import { TestkitError, reasonOf } from '../errors.ts'
import { runProgram } from '../process/run.ts'
import type { DatabaseSpec, MigrationContext } from './database-spec.ts'

/** Makes the schema in an empty database, and puts the seed in. Throws TK_DATABASE_FAILED with the tool's output. */
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
    await spec.seed?.(context)
  } catch (cause) {
    throw new TestkitError('TK_DATABASE_FAILED', `the migration failed: ${reasonOf(cause)}`, { cause })
  }
}

/** What MAINSTAY_TEST_DB_TEMPLATE and the spec say about templates. */
export function templateChoice(
  spec: DatabaseSpec,
): { use: 'cache' } | { use: 'none' } | { use: 'given'; name: string } {
  const wanted = process.env['MAINSTAY_TEST_DB_TEMPLATE'] ?? spec.template
  if (wanted === undefined || wanted === '') return { use: 'cache' }
  return wanted === false || wanted === 'off' ? { use: 'none' } : { use: 'given', name: wanted }
}
