import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findExecutable } from '../process/executable.ts'
import { entriesOf } from './programs.ts'

/**
 * What decides the schema that an installed Python program makes: the folder of its package with the migrations, and what
 * was installed of the package (its version). An upgrade changes both, the program itself it does not change.
 *
 * @param folder below the packages' folder: `glance/db`
 * @param also what else decides it
 * @returns none when they are not found where the program's own prefix has them: then nothing is known of its schema
 */
export function pythonSources(
  program: string,
  folder: string,
  also: readonly string[] = [],
): { sources?: readonly string[] } {
  const path = findExecutable(program)
  if (path === undefined) return {}
  const [name = ''] = folder.split('/')
  const libraries = join(dirname(dirname(realpathSync(path))), 'lib')
  const sources = entriesOf(libraries)
    .filter((python) => /^python3[\d.]*$/.test(python))
    .flatMap((python) => ['dist-packages', 'site-packages'].map((packages) => join(libraries, python, packages)))
    .filter((packages) => entriesOf(join(packages, folder)).length > 0)
    .flatMap((packages) => [
      join(packages, folder),
      ...entriesOf(packages)
        .filter((entry) => entry.startsWith(`${name}-`) && /\.(?:egg|dist)-info$/.test(entry))
        .map((entry) => join(packages, entry)),
    ])
  return sources.length === 0 ? {} : { sources: [...sources, ...also] }
}
