import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'

/** A Lua script with the name by which Redis knows it once it was sent. */
export interface RedisScript {
  readonly name: string
  readonly source: string
  readonly sha1: string
}

/**
 * Reads a script that lies beside the module: `loadScript(new URL('./append.lua', import.meta.url))`. Compiled modules
 * are in `dist`; the scripts stay in `src`, which is published as well.
 */
export function loadScript(url: URL): RedisScript {
  const place = existsSync(url) ? url : new URL(url.href.replace('/dist/', '/src/'))
  const source = readFileSync(place, 'utf8')
  return {
    name: url.pathname.slice(url.pathname.lastIndexOf('/') + 1),
    source,
    sha1: createHash('sha1').update(source).digest('hex'),
  }
}
