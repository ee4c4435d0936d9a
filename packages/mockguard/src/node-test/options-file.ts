import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MockguardConfigError } from '../guard/options.ts'
import type { MockguardOptions } from '../guard/options.ts'

/**
 * Options for the runners that have no place for them: `mockguard.json` in the project's folder. Patterns are written
 * `{ "pattern": "…" }`. Throws MockguardConfigError when the file is no JSON object.
 */
export function readOptionsFile(root: string): MockguardOptions {
  const file = join(root, 'mockguard.json')
  if (!existsSync(file)) return {}
  try {
    return JSON.parse(readFileSync(file, 'utf8'), (_key, value: unknown) => {
      if (typeof value !== 'object' || value === null || !('pattern' in value)) return value
      return new RegExp(String(value.pattern))
    }) as MockguardOptions
  } catch (cause) {
    throw new MockguardConfigError(`${file} is not readable as JSON: correct it or remove it`, { cause })
  }
}
