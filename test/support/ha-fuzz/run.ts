import * as fc from 'fast-check'

import { toJson } from '../../../packages/mainstay/src/core/json.ts'
import { SystemIds } from '../../../packages/mainstay/src/core/ids.ts'
import type { Clock } from '../../../packages/mainstay/src/core/clock.ts'
import type { NotificationStatus } from '../../../packages/mainstay/src/ha/records/notification.ts'
import type { HaApiDeps } from '../../../packages/mainstay/src/ha/ha-api.ts'
import { setNotificationStatus } from '../../../packages/mainstay/src/ha/store/notifications.ts'
import { createVmoves } from '../../../packages/mainstay/src/ha/store/vmoves.ts'
import { anyRequest } from './any-request.ts'
import { GOOD_LABELS, goodRequest } from './good-request.ts'
import { KeptConnection, type RawRequest } from './kept-connection.ts'
import type { KnownRecords } from './known-records.ts'

const CONNECTIONS = 32
const BATCH = CONNECTIONS * 2

/** What becomes of reports, in turn: most are worked off at once, so that not every segment is in use for ever. */
const OUTCOMES: readonly NotificationStatus[] = [
  ...Array.from({ length: 20 }, () => 'finished' as const),
  'new',
  'running',
  'error',
  'failed',
  'ignored',
]

/** The engine of the fuzzed API: settles each report in its transaction and stores moves for those of hosts. */
export function settleAtOnce(records: KnownRecords, clock: Clock): HaApiDeps['startRecovery'] {
  const ids = new SystemIds()
  let reports = 0
  return async (queries, { uuid, type }) => {
    const status = OUTCOMES[reports % OUTCOMES.length]
    reports += 1
    if (status !== undefined && status !== 'new') {
      await setNotificationStatus(queries, uuid, status, { nowMs: clock.now() })
    }
    if (type !== 'COMPUTE_HOST') return nothingToBegin
    const move = { notificationUuid: uuid, instanceUuid: ids.random(), instanceName: 'vm1', sourceHost: 'h' }
    const [stored] = await createVmoves(queries, [{ ...move, uuid: ids.random() }], clock.now())
    if (stored !== undefined) records.addVmove({ notification: uuid, uuid: stored.uuid })
    return nothingToBegin
  }
}

function nothingToBegin(): void {}

interface Plan extends RawRequest {
  /** The route that it is meant for, or null when it is meant for none. */
  readonly label: string | null
}

export interface FuzzResult {
  readonly sent: number
  /** How many good answers (2xx) each route of the API gave to requests that were meant for it. */
  readonly reached: Readonly<Record<string, number>>
}

/** One of each kind, before anything else is sent. */
const FIRST = [
  ['/v1/segments', { segment: { name: 's', recovery_method: 'auto', service_type: 'x' } }],
  ['/v1/segments/{segment:0}/hosts', { host: { name: 'h', type: 'x', control_attributes: 'x' } }],
  [
    '/v1/notifications',
    {
      notification: {
        type: 'COMPUTE_HOST',
        hostname: '{hostName:0}',
        generated_time: '2019-01-01',
        payload: { event: 'STOPPED' },
      },
    },
  ],
] as const

/**
 * Sends at least so many requests of any kind and good ones, half and half, over some connections at the same time.
 *
 * @throws Error when one is answered with a 500, or with something that is no final answer
 */
export async function fuzzHa(port: number, records: KnownRecords, requests: number): Promise<FuzzResult> {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => KeptConnection.open(port)))
  const reached: Record<string, number> = Object.fromEntries(GOOD_LABELS.map((label) => [label, 0]))
  const wrong: string[] = []
  let sent = 0
  const ask = async (connection: KeptConnection, plan: Plan): Promise<void> => {
    const request = records.fill(plan)
    const answer = await connection.send(request)
    records.learn(request, answer)
    sent += 1
    const { status, text } = answer
    if (status >= 500 || status < 200) wrong.push(`${request.method} ${request.target} ${status} ${text}`)
    if (plan.label !== null && status < 300) reached[plan.label] = (reached[plan.label] ?? 0) + 1
  }
  const [first] = connections
  if (first === undefined) throw new Error('There is no connection.')
  for (const [target, body] of FIRST) {
    await ask(first, { label: null, method: 'POST', target, headers: [], body: toJson(body) })
  }
  const batch = fc.array(fc.oneof(anyRequest, goodRequest), { minLength: BATCH, maxLength: BATCH })
  await fc.assert(
    fc.asyncProperty(batch, async (plans) => {
      await Promise.all(
        connections.map(async (connection, index) => {
          for (const plan of plans.filter((_plan, at) => at % CONNECTIONS === index)) await ask(connection, plan)
        }),
      )
      if (wrong.length > 0) throw new Error(wrong.join('\n'))
    }),
    // Records are left behind, so a smaller batch would not meet what the failing one met.
    { numRuns: Math.ceil(requests / BATCH), endOnFailure: true },
  )
  for (const connection of connections) connection.close()
  return { sent, reached }
}

/** The routes that gave fewer good answers than one of 1000 requests sent, with how many. */
export function rarelyReached({ sent, reached }: FuzzResult): string[] {
  return Object.entries(reached)
    .filter(([, count]) => count < sent / 1000)
    .map(([label, count]) => `${label}: ${count}`)
}
