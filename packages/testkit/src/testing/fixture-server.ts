import { fileURLToPath } from 'node:url'
import { Cluster } from '../cluster.ts'
import type { ClusterOptions } from '../cluster-options.ts'
import type { ServerSpec } from '../spec.ts'
import { patientMs } from './patience.ts'

/** The small HTTP server of the kit's own tests. */
export const httpProgram: string = fileURLToPath(new URL('../../fixtures/http-server.mjs', import.meta.url))

/** A spec that runs it; parts may be replaced. */
export function httpServer(over: Partial<ServerSpec> = {}): ServerSpec {
  return {
    name: 'api',
    command: [process.execPath, httpProgram],
    listen: [{ name: 'http' }],
    diagnosticReport: false,
    startTimeoutMs: patientMs,
    ...over,
  }
}

/** A spec that runs a line of JavaScript. */
export function script(code: string, over: Partial<ServerSpec> = {}): ServerSpec {
  return {
    name: 'script',
    command: [process.execPath, '-e', code],
    diagnosticReport: false,
    startTimeoutMs: patientMs,
    ...over,
  }
}

/** Gives the work a cluster and cleans up after it, whatever happens. */
export async function withCluster<T>(
  servers: readonly ServerSpec[],
  work: (cluster: Cluster) => Promise<T>,
  options: ClusterOptions = {},
): Promise<T> {
  const cluster = await Cluster.create({ name: 'own', keep: 'never', ...options, servers })
  try {
    return await work(cluster)
  } finally {
    await cluster.dispose()
  }
}

/** What a promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
  throw new Error('the promise was expected to reject')
}

/** The body of a page as text. */
export async function page(url: string): Promise<string> {
  const response = await fetch(url)
  return await response.text()
}
