import type { JsonObject } from '../../core/json.ts'

/** What the API consists of, sorted by alias. Source: ha-api.md 10. */
const EXTENSIONS = [
  { alias: 'extensions', name: 'Extensions', description: 'Lists what this API consists of.' },
  { alias: 'notifications', name: 'Notifications', description: 'Reports of failed hosts, guests and processes.' },
  { alias: 'os-hosts', name: 'Hosts', description: 'Hosts of a failover segment.' },
  { alias: 'segments', name: 'Segments', description: 'Groups of hosts that stand in for each other.' },
  { alias: 'versions', name: 'Versions', description: 'Versions of this API.' },
  { alias: 'vmoves', name: 'vmoves', description: 'Guests that a recovery moved.' },
] as const

export interface Extension extends JsonObject {
  readonly alias: string
}

/** The extensions whose `discoverable` policy lets the caller see them. */
export async function extensions(isVisible: (alias: string) => Promise<boolean>): Promise<Extension[]> {
  const visible = await Promise.all(EXTENSIONS.map(async ({ alias }) => await isVisible(alias)))
  return EXTENSIONS.filter((_, index) => visible[index]).map(({ alias, name, description }) => ({
    name,
    alias,
    description,
    namespace: '',
    updated: '',
    links: [],
  }))
}
