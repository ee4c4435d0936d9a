import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { requestContext } from '../../core/context.ts'
import { SystemIds } from '../../core/ids.ts'
import { UnauthorizedError } from '../../http/errors.ts'
import { SqliteStore, type Store } from '../../store/index.ts'
import { StoredTickets } from './stored-tickets.ts'
import { MemoryTicketStore, Tickets, type TicketStore } from './tickets.ts'

let directory: string
let store: Store

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-tickets-'))
  store = SqliteStore.open({ path: join(directory, 'tickets.db'), clock: new ManualClock() })
  await store.migrate()
})

afterAll(async () => {
  await store.close()
  await rm(directory, { recursive: true })
})

describe.each<[string, () => TicketStore]>([
  ['in memory', () => new MemoryTicketStore()],
  ['in the database', () => new StoredTickets(store)],
])('tickets %s', (_where, open) => {
  let clock: ManualClock
  let tickets: Tickets
  const holder = {
    requestId: 'req-1',
    timestampMs: 0,
    userId: 'ada',
    projectId: 'p1',
    roles: ['member'],
    authToken: 'secret',
  }

  beforeEach(() => {
    clock = new ManualClock()
    tickets = new Tickets({ store: open(), clock, ids: new SystemIds() }, { lifetimeMs: 30_000 })
  })

  test('R28 a ticket says once whose it is, without the token it stands for', async () => {
    const context = requestContext(holder)
    const { ticket, expiresAtMs } = await tickets.issue(context)
    expect(ticket).toMatch(/^[0-9a-f]{64}$/)
    expect(expiresAtMs).toBe(clock.now() + 30_000)
    const { authToken: _secret, ...principal } = context
    expect(await tickets.redeem(ticket)).toEqual(principal)
    await expect(tickets.redeem(ticket)).rejects.toThrow(UnauthorizedError)
  })

  test('E-213 R28 it is worth nothing after 30 s, and nothing to who guesses', async () => {
    const { ticket } = await tickets.issue(requestContext(holder))
    await expect(tickets.redeem(ticket.replace(/^./, (digit) => (digit === '0' ? '1' : '0')))).rejects.toThrow(
      'not valid',
    )
    await clock.advance(30_000)
    await expect(tickets.redeem(ticket)).rejects.toThrow('its time is over')
  })

  test('R30 it does not outlive the token it was asked with', async () => {
    const { expiresAtMs } = await tickets.issue(requestContext({ ...holder, authExpiresAtMs: clock.now() + 5000 }))
    expect(expiresAtMs).toBe(clock.now() + 5000)
  })

  test('R28 of two who show it at the same time one is let in', async () => {
    const { ticket } = await tickets.issue(requestContext(holder))
    const outcomes = await Promise.allSettled([tickets.redeem(ticket), tickets.redeem(ticket)])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  test('R28 what nobody used in time is forgotten with the next', async () => {
    const kept = open()
    const own = new Tickets({ store: kept, clock, ids: new SystemIds() }, { lifetimeMs: 30_000 })
    await own.issue(requestContext(holder))
    await clock.advance(30_001)
    const { ticket } = await own.issue(requestContext(holder))
    expect(await own.redeem(ticket)).toMatchObject({ userId: 'ada' })
    expect(await store.read.selectFrom('event_tickets').selectAll().execute()).toEqual([])
  })
})
