import { loadScript, type RedisScript } from '../../store/redis/index.ts'

/** What each transition needs of `lua/lib/` besides `base`; what it takes and returns stands at the head of its file. */
const PARTS = {
  acquire: ['machines', 'grant', 'queue'],
  change: ['machines', 'grant', 'queue'],
  'check-result': ['machines', 'grant', 'queue'],
  configure: ['machines', 'grant', 'queue'],
  due: ['machines'],
  each: ['machines', 'grant', 'queue'],
  heartbeat: ['machines'],
  lead: [],
  look: ['machines'],
  queue: ['machines', 'grant', 'queue'],
  reattach: ['machines'],
  rebuild: ['machines'],
  reindex: ['machines'],
  release: ['machines', 'grant', 'queue'],
  repair: ['machines'],
  'spawn-request': ['machines'],
} as const

export type PoolScript = keyof typeof PARTS

const loaded = new Map<PoolScript, RedisScript>()

/** A transition as one script. Read from disk once. */
export function poolScript(name: PoolScript): RedisScript {
  const known = loaded.get(name)
  if (known !== undefined) return known
  const parts = PARTS[name].map((part) => new URL(`./lua/lib/${part}.lua`, import.meta.url))
  const base = new URL('./lua/lib/base.lua', import.meta.url)
  const script = loadScript(base, ...parts, new URL(`./lua/${name}.lua`, import.meta.url))
  loaded.set(name, script)
  return script
}
