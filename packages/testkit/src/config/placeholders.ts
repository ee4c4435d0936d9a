import { TestkitError } from '../errors.ts'
import { nearest } from './nearest.ts'
import { formatScalar, type ConfigStyle } from './serialise.ts'

/** The substitution dictionary of a template; nested values are named `a.b`. */
export type Dictionary = Readonly<Record<string, unknown>>

/**
 * Puts values into a template: `%(key)s`, `%(a.b)s` for nested values, `%%` for a percent sign. A line whose
 * placeholder is `undefined` in the dictionary is dropped.
 *
 * @throws TestkitError TK_CONFIG_PLACEHOLDER for a key that the dictionary does not have, with file, line, key and the
 * nearest known key. Source: testkit.md A3.1.
 */
export function renderTemplate(
  template: string,
  dictionary: Dictionary,
  options: { file: string; style?: ConfigStyle },
): string {
  return template
    .split('\n')
    .map((line, index) => renderLine(line, dictionary, { ...options, line: index + 1 }))
    .filter((line) => line !== undefined)
    .join('\n')
}

/** The value under a dotted key; `found` is false when there is no such key. */
export function lookUp(dictionary: Dictionary, key: string): { found: boolean; value: unknown } {
  if (Object.hasOwn(dictionary, key)) return { found: true, value: dictionary[key] }
  let value: unknown = dictionary
  for (const part of key.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part))
      return { found: false, value: undefined }
    value = Reflect.get(value, part)
  }
  return { found: true, value }
}

/** All dotted keys of a dictionary. */
export function keysOf(dictionary: Dictionary, prefix = ''): string[] {
  return Object.entries(dictionary).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? [prefix + key, ...keysOf(value as Dictionary, `${prefix}${key}.`)]
      : [prefix + key],
  )
}

function renderLine(
  line: string,
  dictionary: Dictionary,
  where: { file: string; line: number; style?: ConfigStyle },
): string | undefined {
  let dropped = false
  const text = line.replaceAll(/%(?:%|\(([^)]+)\)s)/g, (_match, key: string | undefined) => {
    if (key === undefined) return '%'
    const { found, value } = lookUp(dictionary, key)
    if (!found) throw unknownPlaceholder(key, dictionary, where)
    if (value === undefined) dropped = true
    return formatScalar(value, where.style ?? 'plain')
  })
  return dropped ? undefined : text
}

function unknownPlaceholder(key: string, dictionary: Dictionary, where: { file: string; line: number }): TestkitError {
  const near = nearest(key, keysOf(dictionary))
  const hint = near === undefined ? '' : ` Did you mean %(${near})s?`
  return new TestkitError(
    'TK_CONFIG_PLACEHOLDER',
    `${where.file}:${where.line}: unknown placeholder %(${key})s.${hint} No process was started.`,
  )
}
