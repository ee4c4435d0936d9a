import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** A Lua script with the name by which Redis knows it once it was sent. */
export interface RedisScript {
  readonly name: string
  readonly source: string
  readonly sha1: string
}

/**
 * Reads a script that lies beside the module: `loadScript(new URL('./append.lua', import.meta.url))`. Of several files,
 * the first ones are what the last one needs. Compiled modules are in `dist`; scripts stay in `src`, which is published
 * as well.
 */
export function loadScript(...files: readonly [URL, ...URL[]]): RedisScript {
  return scriptOf(basename(files.at(-1)!.pathname), files.map(readSource).join('\n'))
}

/** A script that was put together from what {@link readSource} reads. */
export function scriptOf(name: string, source: string): RedisScript {
  return { name, source, sha1: createHash('sha1').update(source).digest('hex') }
}

/** The text of a Lua file that lies beside the module. */
export function readSource(url: URL): string {
  return readFileSync(inSource(url), 'utf8')
}

function inSource(url: URL): URL {
  return existsSync(url) ? url : new URL(url.href.replace('/dist/', '/src/'))
}
