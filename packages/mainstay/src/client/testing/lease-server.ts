import type { JsonObject } from '../../core/json.ts'
import { formatZulu } from '../../core/timestamp.ts'
import { answeringServer, type AnsweringServer, type Reaction, type SeenRequest } from './answering-server.ts'

/** What a pool is asked about a lease, as the last word of the path. */
export type LeaseCall = 'leases' | 'heartbeat' | 'release' | 'give-up' | 'cancel'

/** A reaction, or null for the usual one: granted, prolonged, given back. */
export type LeaseReaction = Reaction | null | Promise<Reaction | null>

export interface LeaseServer extends AnsweringServer {
  /** How often something was asked. */
  count(call: LeaseCall): number
}

export const LEASE_MS = 60_000
export const LEASE_GONE: Reaction = { status: 409, body: { error: { code: 'MS_POOL_LEASE_LOST', message: 'gone' } } }
export const MACHINE_GONE: Reaction = {
  status: 404,
  body: { error: { code: 'MS_POOL_VM_NOT_FOUND', message: 'gone' } },
}

/** A lease on `m1` as the server tells of it, granted some time before its answer, in milliseconds. */
export function grantedAgo(agoMs: number, leaseMs: number): JsonObject {
  const answeredAt = Date.UTC(2026, 0, 1)
  const vm = { name: 'm1', inUseSince: formatZulu(answeredAt - agoMs) }
  const expiresAt = formatZulu(answeredAt + leaseMs)
  return { name: 'm1', ip: '192.0.2.1', token: 't1', vm, expiresAt, expiresInMs: leaseMs }
}

/** A server that knows one machine `m1`, and does not do what it is asked where a test says otherwise. */
export async function leaseServer(
  react: (call: LeaseCall, request: SeenRequest) => LeaseReaction = () => null,
  { leaseMs = LEASE_MS }: { readonly leaseMs?: number } = {},
): Promise<LeaseServer> {
  const granted = grantedAgo(0, leaseMs)
  const usual: Readonly<Record<LeaseCall, Reaction>> = {
    leases: { status: 201, body: { leases: [granted] } },
    heartbeat: { body: { expiresInMs: leaseMs, preemptInMs: null } },
    release: { body: { name: 'm1', state: 'ready' } },
    'give-up': { status: 202, body: { name: 'm1' } },
    cancel: { body: { status: 'cancelled' } },
  }
  const callOf = ({ path }: SeenRequest): LeaseCall => {
    const words = path.replace(/\?.*/, '').split('/')
    return (words.includes('leases') ? 'leases' : words.at(-1)) as LeaseCall
  }
  const server = await answeringServer(async (request) => {
    const call = callOf(request)
    return (await react(call, request)) ?? usual[call]
  })
  return { ...server, count: (call) => server.requests.filter((request) => callOf(request) === call).length }
}
