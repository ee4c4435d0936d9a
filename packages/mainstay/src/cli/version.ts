import { readFile } from 'node:fs/promises'

import { isJsonObject, parseJson } from '../core/json.ts'
import { OutcomeError } from './errors.ts'

/** The version of the program, from the manifest that it is published with. */
export async function programVersion(): Promise<string> {
  const file = new URL('../../package.json', import.meta.url)
  const manifest = parseJson(await readFile(file, 'utf8'), 'package.json')
  const version = isJsonObject(manifest) ? manifest['version'] : undefined
  if (typeof version === 'string') return version
  throw new OutcomeError(`${file.pathname} names no version. Install mainstay again.`)
}
