import { loadScript, readSource, scriptOf, type RedisScript } from '../../store/redis/index.ts'

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
  rebuild: ['machines', 'grant', 'queue'],
  reindex: ['machines'],
  release: ['machines', 'grant', 'queue'],
  repair: ['machines', 'grant'],
  'spawn-request': ['machines'],
} as const

export type PoolScript = keyof typeof PARTS

const loaded = new Map<PoolScript, RedisScript>()

const file = (name: string): URL => new URL(`./lua/${name}.lua`, import.meta.url)

/** A transition as one script. Read from disk once. */
export function poolScript(name: PoolScript): RedisScript {
  const known = loaded.get(name)
  if (known !== undefined) return known
  const parts = PARTS[name].map((part) => file(`lib/${part}`))
  const script = loadScript(file('lib/base'), ...parts, file(name))
  loaded.set(name, script)
  return script
}

/** Transitions of clients and of checks: many of them come in the same moment. */
const TOGETHER = ['acquire', 'release', 'heartbeat', 'check-result'] as const

export type SharedScript = (typeof TOGETHER)[number]

export function isShared(name: PoolScript): name is SharedScript {
  return (TOGETHER as readonly PoolScript[]).includes(name)
}

let together: RedisScript | undefined

/** Several of these in one call: each is the same text as by itself, as the body of a function. */
export function togetherScript(): RedisScript {
  if (together !== undefined) return together
  const libraries = ['base', 'machines', 'grant', 'queue'].map((part) => readSource(file(`lib/${part}`)))
  const bodies = TOGETHER.map((name) => `transitions['${name}'] = function()\n${readSource(file(name))}\nend`)
  const source = [...libraries, 'local transitions = {}', ...bodies, readSource(file('together'))].join('\n')
  together = scriptOf('together.lua', source)
  return together
}
