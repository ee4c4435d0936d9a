import type { MachineTags } from './provider.ts'

/** The names under which every driver writes the tags where texts are kept: metadata of a server, of a hook's cloud. */
export const TAG_NAMES = {
  installation: 'mainstay_installation',
  pool: 'mainstay_pool',
  vmName: 'mainstay_vm_name',
  createdAt: 'mainstay_created_at',
} as const satisfies Record<keyof MachineTags, string>

/** Tags as texts. */
export function writeTags(tags: MachineTags): Record<string, string> {
  return {
    [TAG_NAMES.installation]: tags.installation,
    [TAG_NAMES.pool]: tags.pool,
    [TAG_NAMES.vmName]: tags.vmName,
    [TAG_NAMES.createdAt]: String(tags.createdAt),
  }
}

/** Null unless all of them are there and make sense: half a tag is nobody's. */
export function readTags(texts: Readonly<Record<string, string>>): MachineTags | null {
  const installation = texts[TAG_NAMES.installation]
  const pool = texts[TAG_NAMES.pool]
  const vmName = texts[TAG_NAMES.vmName]
  const createdAt = Number(texts[TAG_NAMES.createdAt] ?? Number.NaN)
  if (installation === undefined || pool === undefined || vmName === undefined) return null
  return Number.isSafeInteger(createdAt) && createdAt >= 0 ? { installation, pool, vmName, createdAt } : null
}
