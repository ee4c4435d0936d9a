import { parseEnv } from 'node:util'
import { TestkitError } from '../errors.ts'

/**
 * Lines of `NAME=value` that read back as what they were. A value is quoted only if it must be: with a mark that it does not
 * contain, because these files know no way to write a quote inside of quotes.
 *
 * @throws TestkitError TK_BAD_SPEC for a name that is none, and for a value that cannot be written
 */
export function envFile(entries: readonly (readonly [name: string, value: string])[], file: string): string {
  return entries.map(([name, value]) => `${name}=${written(name, value, file)}\n`).join('')
}

function written(name: string, value: string, file: string): string {
  if (!/^[A-Za-z_]\w*$/.test(name)) {
    throw new TestkitError('TK_BAD_SPEC', `${file}: ${JSON.stringify(name)} cannot be the name of a variable`)
  }
  // Readers differ in what an opening quote without an end means, and in where a comment begins.
  const bare = /^(?:[^\s'"`#][^#]*)?$/.test(value) ? [value] : []
  const found = [...bare, `'${value}'`, `"${value}"`, `\`${value}\``].find((text) => readsBack(text, value))
  if (found !== undefined) return found
  throw new TestkitError(
    'TK_BAD_SPEC',
    `${file}: the value of ${name} cannot be written, it contains every kind of quote`,
  )
}

/** Node's own reader decides; another line behind it shows whether the value ends where it should. */
function readsBack(text: string, value: string): boolean {
  const read: Record<string, string | undefined> = parseEnv(`A=${text}\nB=next\n`)
  return read['A'] === value && read['B'] === 'next' && Object.keys(read).length === 2
}
