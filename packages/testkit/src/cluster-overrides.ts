import { lookUp } from './config/placeholders.ts'
import { TestkitError } from './errors.ts'
import type { ManagedServer } from './server.ts'

/** The overrides, meant for several servers, that this one understands. */
export function pickKnown(server: ManagedServer, over: object): object {
  return Object.fromEntries(Object.entries(over).filter(([key]) => key === 'dbUrl' || knows(server, key)))
}

/** Refuses a key that none of the servers understands: a typo. Throws TK_CONFIG_UNKNOWN_KEY. */
export function checkSharedKeys(servers: readonly ManagedServer[], over: object): void {
  for (const key of Object.keys(over)) {
    if (key === 'dbUrl' || servers.some((server) => knows(server, key))) continue
    throw new TestkitError(
      'TK_CONFIG_UNKNOWN_KEY',
      `no server has a configuration key "${key}" (allowUnknown: true accepts it)`,
    )
  }
}

function knows(server: ManagedServer, key: string): boolean {
  return lookUp(server.spec.config ?? {}, key).found
}
