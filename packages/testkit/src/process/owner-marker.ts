import { randomUUID } from 'node:crypto'

/**
 * The environment entry of every helper that this process starts besides its servers: migrations, receivers, probes. The
 * reaper is told of it once, and finds by it what is left when this process has ended without waiting for them.
 *
 * One for each copy of this module: two worker threads have two reapers, and neither may end the other's helpers.
 */
export const ownerMarker: { readonly name: string; readonly value: string } = {
  name: 'MAINSTAY_TESTKIT_OWNER',
  value: randomUUID(),
}

/** An environment with the marker in it. */
export function withOwnerMarker(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  return { ...env, [ownerMarker.name]: ownerMarker.value }
}
