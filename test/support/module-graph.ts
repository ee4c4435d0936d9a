import { readFile } from 'node:fs/promises'

import { importsOf, readSource } from './source-text.ts'

export interface ModuleGraph {
  /** File URLs of our own modules. */
  readonly files: ReadonlySet<string>
  /** What is imported by a name: packages and parts of Node. */
  readonly foreign: ReadonlySet<string>
}

/** Everything that a module brings along when it is loaded; what is imported for its types only is not loaded. */
export async function moduleGraph(start: URL): Promise<ModuleGraph> {
  const files = new Set<string>()
  const foreign = new Set<string>()
  const waiting = [start]
  for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
    if (files.has(url.href)) continue
    files.add(url.href)
    for (const { specifier, typeOnly } of importsOf(readSource(await readFile(url, 'utf8')))) {
      if (typeOnly) continue
      if (specifier.startsWith('.')) waiting.push(new URL(specifier, url))
      else foreign.add(specifier)
    }
  }
  return { files, foreign }
}
