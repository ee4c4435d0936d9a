import { TestkitError, reasonOf } from './errors.ts'
import type { ManagedServer } from './server.ts'

/** All at once, one deadline. Throws TK_NOT_READY naming just the missing ones. Source: testkit.md A7. */
export async function waitForAll(servers: readonly ManagedServer[], timeoutMs = 10_000): Promise<void> {
  const results = await Promise.allSettled(servers.map((server) => server.waitReady({ timeoutMs })))
  const missing = results.flatMap((result, index) =>
    result.status === 'rejected' ? [{ name: servers[index]?.name ?? '', reason: reasonOf(result.reason) }] : [],
  )
  if (missing.length === 0) return
  throw new TestkitError(
    'TK_NOT_READY',
    `not ready within ${timeoutMs} ms: ${missing.map(({ name }) => name).join(', ')}`,
    { details: missing.map(({ name, reason }) => `${name}: ${reason}`).join('\n') },
  )
}
