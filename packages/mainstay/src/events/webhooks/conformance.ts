import { CloudEvent, HTTP } from 'cloudevents'
import { assert, asyncProperty, constantFrom, dictionary, jsonValue, oneof } from 'fast-check'
import { describe, expect, test, type TestContext } from 'vitest'

import { parseJson, type JsonObject } from '../../core/json.ts'
import type { Store } from '../../store/index.ts'
import { configureForwarding } from './forwarding.ts'
import { isSigned, receiver, type Receiver } from './testing/receiver.ts'
import { WebhookLab, type WebhookNode } from './testing/webhook-lab.ts'

/** Makes a migrated, empty store for one test; undefined for a new SQLite file. May skip the test. */
export type WebhookStoreFactory = (ctx: TestContext) => Promise<(AsyncDisposable & { store: Store }) | undefined>

const PATIENT = { timeout: 20_000, interval: 5 }
const SECOND = 1000
const HOUR = 3600 * SECOND
const DAY = 24 * HOUR

/** The waits of R39, as they are with a chance of one half. */
const WAITS = [5 * SECOND, 30 * SECOND, 120 * SECOND, 600 * SECOND, HOUR, 6 * HOUR, 24 * HOUR]

interface Ground {
  readonly lab: WebhookLab
  readonly node: WebhookNode
  readonly hook: Receiver
}

/** What webhooks do, on whatever database (event-stream.md R39, E-221). */
export function webhookConformance(name: string, factory: WebhookStoreFactory): void {
  function on(
    run: (ground: Ground) => Promise<void>,
    options: Parameters<WebhookLab['node']>[0] = { dispatch: { alone: true, lookMs: DAY } },
  ): (ctx: TestContext) => Promise<void> {
    return async (ctx) => {
      await using given = (await factory(ctx)) ?? { store: undefined, [Symbol.asyncDispose]: async () => undefined }
      await using lab = await WebhookLab.open(given.store)
      await using hook = await receiver()
      const node = await lab.node(options)
      await run({ lab, node, hook })
    }
  }

  const seen = async (hook: Receiver, expected: readonly string[]): Promise<void> =>
    await expect.poll(() => hook.ids, PATIENT).toEqual(expected)

  /** Lets time go on until a node delivers, and no longer: deliveries on real sockets have a deadline on the same clock. */
  const untilDelivering = async (lab: WebhookLab, node: WebhookNode): Promise<void> =>
    await expect
      .poll(async () => {
        const figures = await node.metrics.text()
        if (figures.includes('mainstay_events_webhooks_delivering 1')) return true
        await lab.clock.advance(1000)
        return false
      }, PATIENT)
      .toBe(true)

  /** Waits until a webhook is to be tried again. @returns in how many milliseconds */
  async function untilRetry({ lab, node }: Ground, id: string, failures: number): Promise<number> {
    await expect.poll(async () => (await node.show(id))['failures'], PATIENT).toBe(failures)
    return Date.parse((await node.show(id))['next_attempt_at'] as string) - lab.clock.now()
  }

  describe(`${name}: delivery`, () => {
    test(
      'E-221 each event arrives once, in order, signed, from the moment the webhook was made',
      on(async ({ lab, node, hook }) => {
        await lab.happen(3)
        const { secret } = await node.add(hook.url)
        const ids = await lab.happen(5)
        await seen(hook, ids)
        ids.push(...(await lab.happen(5)))
        await seen(hook, ids)
        for (const delivery of hook.deliveries) {
          expect(isSigned(delivery, secret)).toBe(true)
          expect(delivery.headers).toMatchObject({
            'content-type': 'application/json',
            'webhook-timestamp': String(Math.floor(lab.clock.now() / 1000)),
          })
        }
        expect(parseJson(hook.deliveries[0]!.body, 'b')).toMatchObject({
          id: ids[0],
          seq: 4,
          event_type: expect.any(String),
        })
        const counted = 'mainstay_events_webhook_attempts_total{result="delivered"} 10'
        await expect.poll(async () => await node.metrics.text(), PATIENT).toContain(counted)
      }),
    )

    test(
      'E-221 it begins where it was told to',
      on(async ({ lab, node, hook }) => {
        const ids = await lab.happen(4)
        const { epoch } = await lab.log.extent()
        await node.add(hook.url, { since: `${epoch}:2` })
        await seen(hook, ids.slice(2))
        const gone = await node.call('POST', '', { url: hook.url, since: 'another:2' })
        expect(gone).toMatchObject({ status: 410, body: { reason: 'epoch_changed', oldest: 1, head: 4 } })
      }),
    )

    test(
      'R31 only what the filter wants arrives',
      on(async ({ lab, node, hook }) => {
        await node.add(hook.url, { filters: { event_filters: ['image.*'], min_severity: 'error' } })
        await lab.happen(3)
        await lab.happen(1, { event_type: 'image.update' })
        const wanted = await lab.happen(2, { event_type: 'image.update', severity: 'critical' })
        await lab.happen(3)
        await seen(hook, wanted)
        await node.stop()
        expect(hook.ids).toEqual(wanted)
      }),
    )

    test(
      'R31 E-214 only what whoever made it may see arrives, whatever the filter says',
      on(async ({ lab, node, hook }) => {
        const { id } = await node.add(hook.url, { active: false, filters: { project_ids: ['p-1', 'p-2'] } })
        const scope = '{"all":false,"projects":["p-1"]}'
        await lab.store.write(async (queries) => {
          await queries.updateTable('webhooks').set({ scope }).where('id', '=', id).execute()
        })
        await node.call('PATCH', `/${id}`, { active: true })
        expect((await node.show(id))['projects']).toEqual(['p-1'])
        for (const project_id of ['p-2', null, 'p-3']) await lab.happen(1, { project_id })
        const wanted = await lab.happen(2, { project_id: 'p-1' })
        await seen(hook, wanted)
      }),
    )

    test(
      'E-217 as CloudEvents, which the official SDK takes',
      on(async ({ lab, node, hook }) => {
        const { secret } = await node.add(hook.url, { format: 'cloudevents' })
        await seen(hook, await lab.happen(1))
        const { headers, body } = hook.deliveries[0]!
        expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8')
        const [event] = [HTTP.toEvent({ headers, body })].flat() as unknown[]
        expect(event instanceof CloudEvent && event.validate()).toBe(true)
        expect(isSigned(hook.deliveries[0]!, secret)).toBe(true)
      }),
    )

    test(
      'R39 as the compatible endpoint shows them',
      on(async ({ lab, node, hook }) => {
        await node.add(hook.url, { format: 'compat' })
        await seen(hook, await lab.happen(1))
        const body = parseJson(hook.deliveries[0]!.body, 'b') as JsonObject
        expect(Object.keys(body)).toEqual(['id', 'timestamp', 'event_type', 'source', 'node_name', 'data'])
      }),
    )
  })

  describe(`${name}: trouble`, () => {
    test(
      'E-221 a failed event is tried again by the schedule, and nothing overtakes it',
      on(async (ground) => {
        const { lab, node, hook } = ground
        let refusing = true
        hook.reply(() => (refusing ? 500 : 204))
        const { id } = await node.add(hook.url)
        const ids = await lab.happen(3)
        for (const [index, waitMs] of WAITS.slice(0, 4).entries()) {
          expect(await untilRetry(ground, id, index + 1)).toBe(waitMs)
          await lab.clock.advance(waitMs - 1)
          expect(hook.ids).toEqual(Array.from({ length: index + 1 }, () => ids[0]))
          await lab.clock.advance(1)
        }
        await untilRetry(ground, id, 5)
        expect(await node.show(id)).toMatchObject({ last_error: 'the receiver answered 500', active: true })
        refusing = false
        await lab.clock.advance(HOUR)
        await seen(hook, [ids[0]!, ids[0]!, ids[0]!, ids[0]!, ids[0]!, ...ids])
        await expect
          .poll(async () => await node.show(id), PATIENT)
          .toMatchObject({ failures: 0, failing_since: null, last_error: null })
      }),
    )

    test(
      'E-221 Retry-After is honoured',
      on(async (ground) => {
        const { lab, node, hook } = ground
        hook.reply((_delivery, nth) => (nth === 1 ? { status: 429, headers: { 'retry-after': '90' } } : 204))
        const { id } = await node.add(hook.url)
        const [event] = await lab.happen(1)
        expect(await untilRetry(ground, id, 1)).toBe(90_000)
        await lab.clock.advance(89_999)
        expect(hook.ids).toEqual([event])
        await lab.clock.advance(1)
        await seen(hook, [event!, event!])
      }),
    )

    test(
      'E-221 no redirect is followed: it is a failure',
      on(async (ground) => {
        const { lab, node, hook } = ground
        await using elsewhere = await receiver()
        hook.reply(() => ({ status: 308, headers: { location: elsewhere.url } }))
        const { id } = await node.add(hook.url)
        await lab.happen(1)
        await untilRetry(ground, id, 1)
        expect(elsewhere.deliveries).toEqual([])
      }),
    )

    test(
      'E-221 after the last attempt the event is a dead letter, the next one follows, and it can be sent again',
      on(async (ground) => {
        const { lab, node, hook } = ground
        const broken: string[] = []
        const refuse = ({ headers }: { headers: { [name: string]: unknown } }): number =>
          broken.includes(String(headers['webhook-id'])) ? 500 : 204
        hook.reply(refuse)
        const { id, secret } = await node.add(hook.url)
        const first = await lab.happen(1)
        await seen(hook, first)
        broken.push(...(await lab.happen(1)))
        const [next] = await lab.happen(1)
        for (const [index, waitMs] of WAITS.entries()) {
          expect(await untilRetry(ground, id, index + 1)).toBe(waitMs)
          await lab.clock.advance(waitMs)
        }
        await expect.poll(() => hook.ids.at(-1), PATIENT).toBe(next)
        expect(hook.ids.filter((each) => each === broken[0])).toHaveLength(8)
        const { body } = await node.call('GET', `/${id}/dead-letters`)
        expect(body['dead_letters']).toMatchObject([
          { event_id: broken[0], attempts: 8, reason: 'the receiver answered 500', event: { id: broken[0], seq: 2 } },
        ])
        expect(await node.show(id)).toMatchObject({ dead_letters: 1, active: true, failures: 0 })
        const letter = (body['dead_letters'] as { id: string }[])[0]!.id
        expect(await node.call('POST', `/${id}/dead-letters/${letter}/redeliver`)).toMatchObject({
          status: 424,
          body: { error: { code: 'MS_WEBHOOK_REDELIVERY', retryable: true } },
        })
        hook.reply(() => 204)
        expect(await node.call('POST', `/${id}/dead-letters/${letter}/redeliver`)).toEqual({
          status: 200,
          body: { delivered: 1 },
        })
        expect(isSigned(hook.deliveries.at(-1)!, secret)).toBe(true)
        expect(hook.ids.at(-1)).toBe(broken[0])
        expect(await node.show(id)).toMatchObject({ dead_letters: 0 })
        expect((await node.call('POST', `/${id}/dead-letters/${letter}/redeliver`)).status).toBe(404)
      }),
    )

    test(
      'E-221 410 switches it off; switched on again it goes on with the same event',
      on(async ({ lab, node, hook }) => {
        hook.reply(() => 410)
        const { id } = await node.add(hook.url)
        const ids = await lab.happen(2)
        await expect.poll(async () => (await node.show(id))['active'], PATIENT).toBe(false)
        expect(await node.show(id)).toMatchObject({ inactive_reason: expect.stringContaining('410'), dead_letters: 0 })
        await lab.clock.advance(DAY)
        expect(hook.ids).toEqual([ids[0]])
        hook.reply(() => 204)
        expect(await node.call('PATCH', `/${id}`, { active: true })).toMatchObject({
          status: 200,
          body: { active: true, inactive_reason: null },
        })
        await seen(hook, [ids[0]!, ...ids])
        expect(await node.metrics.text()).toContain('mainstay_events_webhook_attempts_total{result="disabled"} 1')
      }),
    )

    test(
      'E-221 after three days without a success it is switched off',
      on(async (ground) => {
        const { lab, node, hook } = ground
        hook.reply(() => 503)
        const { id } = await node.add(hook.url)
        await lab.happen(5)
        let elapsed = 0
        for (let rounds = 0; rounds < 40 && (await node.show(id))['active'] === true; rounds += 1) {
          await expect
            .poll(async () => {
              const { active, next_attempt_at: next } = await node.show(id)
              return active === false || (next !== null && Date.parse(next as string) > lab.clock.now())
            }, PATIENT)
            .toBe(true)
          const { next_attempt_at: next } = await node.show(id)
          if (next === null) break
          const waitMs = Date.parse(next as string) - lab.clock.now()
          elapsed += waitMs
          const before = hook.deliveries.length
          await lab.clock.advance(waitMs)
          await expect.poll(() => hook.deliveries.length, PATIENT).toBeGreaterThan(before)
        }
        await expect.poll(async () => (await node.show(id))['active'], PATIENT).toBe(false)
        expect(elapsed).toBeGreaterThanOrEqual(3 * DAY)
        expect(elapsed).toBeLessThan(4.5 * DAY)
        expect(await node.show(id)).toMatchObject({ inactive_reason: expect.stringContaining('3 days') })
      }),
    )

    test(
      'R5 what the log had dropped before its turn is counted as missed, and it goes on behind it',
      on(async ({ lab, node, hook }) => {
        const held = Promise.withResolvers<number>()
        hook.reply((_delivery, nth) => (nth === 1 ? held.promise : 204))
        const { id } = await node.add(hook.url)
        const [first] = await lab.happen(1)
        await seen(hook, [first!])
        // While the first one is on its way the log drops what comes after it.
        await lab.happen(80)
        await lab.log.trim()
        held.resolve(204)
        await expect.poll(() => hook.ids.length, PATIENT).toBe(51)
        expect(await node.show(id)).toMatchObject({ missed: 30 })
      }),
    )

    test(
      'R6 after history was lost it goes on with the oldest event of the new one',
      on(async ({ lab, node, hook }) => {
        const { id } = await node.add(hook.url)
        const ids = await lab.happen(5)
        await seen(hook, ids)
        lab.history.wipe()
        ids.push(...(await lab.happen(2)))
        await seen(hook, ids)
        const { epoch } = await lab.log.extent()
        await expect.poll(async () => (await node.show(id))['cursor'], PATIENT).toBe(`${epoch}:2`)
        expect(lab.logged).toContain('the history that it had followed was lost')
      }),
    )
  })

  describe(`${name}: several processes, restarts`, () => {
    test(
      'E-221 after a restart it goes on where it was, also in the middle of a wait',
      on(async (ground) => {
        const { lab, node, hook } = ground
        hook.reply(() => 500)
        const { id } = await node.add(hook.url)
        const ids = await lab.happen(2)
        expect(await untilRetry(ground, id, 1)).toBe(5000)
        await node.stop()
        hook.reply(() => 204)
        const again = await lab.node({ dispatch: { alone: true } })
        await lab.clock.advance(4999)
        expect(await again.show(id)).toMatchObject({ failures: 1 })
        expect(hook.ids).toEqual([ids[0]])
        await lab.clock.advance(1)
        await seen(hook, [ids[0]!, ...ids])
      }),
    )

    test(
      'E-221 of several processes one delivers; another takes over when it stops, and when it dies',
      on(
        async ({ lab, node: first, hook }) => {
          const second = await lab.node()
          const { id } = await first.add(hook.url)
          const ids = await lab.happen(20)
          await seen(hook, ids)
          await first.stop()
          ids.push(...(await lab.happen(5)))
          await untilDelivering(lab, second)
          await seen(hook, ids)
          // It dies: nobody renews its lease, and nobody gives it back.
          await lab.store.write(async (queries) => {
            const dead = { lease_owner: 'somebody who died', lease_until: lab.clock.now() + 15_000 }
            await queries.updateTable('webhooks').set(dead).execute()
          })
          await second.stop()
          const other = await lab.node()
          const more = await lab.happen(5)
          await lab.clock.advance(14_000)
          expect(hook.ids).toEqual(ids)
          await untilDelivering(lab, other)
          await seen(hook, [...ids, ...more])
          expect(await other.show(id)).toMatchObject({ failures: 0, missed: 0 })
        },
        { dispatch: {} },
      ),
    )

    test(
      'E-221 a process that was only paused writes nothing when it wakes up',
      on(
        async ({ lab, node, hook }) => {
          const held = Promise.withResolvers<number>()
          hook.reply((_delivery, nth) => (nth === 1 ? held.promise : 204))
          const { id } = await node.add(hook.url)
          const ids = await lab.happen(2)
          await seen(hook, [ids[0]!])
          await lab.store.write(async (queries) => {
            const taken = { lease_owner: 'another', lease_until: lab.clock.now() + 1e9, fence: 99, position: 2 }
            await queries.updateTable('webhooks').set(taken).execute()
          })
          held.resolve(204)
          await expect
            .poll(async () => await node.metrics.text(), PATIENT)
            .toContain('mainstay_events_webhooks_delivering 0')
          expect(await node.show(id)).toMatchObject({ cursor: expect.stringMatching(/:2$/), last_delivery_at: null })
          expect(hook.ids).toEqual([ids[0]])
        },
        { dispatch: {} },
      ),
    )

    test(
      'R39 what nobody wanted is not looked at again after a restart',
      on(async ({ lab, node, hook }) => {
        const { id } = await node.add(hook.url, { filters: { event_filters: ['never'] } })
        await lab.happen(7)
        await expect
          .poll(async () => {
            await lab.clock.advance(10_000)
            return (await node.show(id))['cursor']
          }, PATIENT)
          .toMatch(/:7$/)
        expect(hook.deliveries).toEqual([])
      }),
    )
  })

  describe(`${name}: looking after them`, () => {
    test(
      'R39 they are made, listed, changed and removed',
      on(async ({ lab, node, hook }) => {
        const made = await node.call('POST', '', { url: hook.url, description: 'd', filters: { node_filters: ['n'] } })
        expect(made).toMatchObject({
          status: 201,
          body: {
            url: hook.url,
            description: 'd',
            format: 'native',
            active: true,
            filters: { node_filters: ['n'], event_filters: [] },
            projects: null,
            secret: expect.stringMatching(/^whsec_/),
            dead_letters: 0,
          },
        })
        const id = made.body['id'] as string
        const { body } = await node.call('GET', '')
        expect(body['webhooks']).toMatchObject([{ id, description: 'd' }])
        for (const method of ['PATCH', 'PUT'] as const) {
          const changed = await node.call(method, `/${id}`, { filters: { event_filters: [method] }, active: false })
          expect(changed).toMatchObject({
            status: 200,
            body: { active: false, filters: { event_filters: [method], node_filters: [] } },
          })
        }
        await lab.happen(1, { event_type: 'PUT' })
        await node.call('PATCH', `/${id}`, { active: true, filters: {}, url: `${hook.url}/2` })
        await expect.poll(() => hook.deliveries[0]?.path, PATIENT).toBe('/hook/2')
        expect((await node.call('DELETE', `/${id}`)).status).toBe(204)
        for (const [method, path] of [
          ['GET', ''],
          ['DELETE', ''],
          ['GET', '/dead-letters'],
        ] as const) {
          expect((await node.call(method, `/${id}${path}`)).status).toBe(404)
        }
        expect((await node.call('PATCH', `/${id}`, { active: true })).status).toBe(404)
        await lab.happen(3)
        await lab.clock.advance(60_000)
        expect(hook.deliveries).toHaveLength(1)
      }),
    )

    test(
      'E-221 two secrets are valid during a rotation, one after it',
      on(async ({ lab, node, hook }) => {
        const { id, secret: old } = await node.add(hook.url)
        const { body } = await node.call('PATCH', `/${id}`, { rotate_secret: true })
        const fresh = body['secret'] as string
        expect([fresh === old, body['previous_secret_until']]).toEqual([
          false,
          new Date(lab.clock.now() + DAY).toISOString(),
        ])
        const ids = await lab.happen(1)
        await seen(hook, ids)
        expect([isSigned(hook.deliveries[0]!, old), isSigned(hook.deliveries[0]!, fresh)]).toEqual([true, true])
        await lab.clock.advance(DAY)
        ids.push(...(await lab.happen(1)))
        await seen(hook, ids)
        expect([isSigned(hook.deliveries[1]!, old), isSigned(hook.deliveries[1]!, fresh)]).toEqual([false, true])
        expect((await node.show(id))['previous_secret_until']).toBeNull()
      }),
    )

    test(
      'E-223 secrets are shown once, and never logged',
      on(async ({ lab, node, hook }) => {
        const own = 'a-secret-that-the-admin-made-up'
        const { id, secret } = await node.add(`${hook.url}?key=hidden-in-the-url`, { secret: own })
        expect(secret).toBe(own)
        await seen(hook, await lab.happen(1))
        hook.reply(() => 500)
        await lab.happen(1)
        await expect.poll(async () => (await node.show(id))['failures'], PATIENT).toBe(1)
        const shown = JSON.stringify([await node.call('GET', ''), await node.show(id)])
        expect(shown).not.toContain(own)
        expect(lab.logged).toContain('An event was delivered')
        expect(lab.logged).not.toContain(own)
        expect(lab.logged).not.toContain('hidden-in-the-url')
      }),
    )

    test(
      'R38 nothing per event is logged above debug',
      on(async ({ lab, node, hook }) => {
        await node.add(hook.url)
        await seen(hook, await lab.happen(5))
        const loud = lab.logged
          .split('\n')
          .filter((line) => line !== '' && (JSON.parse(line) as { level: number }).level > 20)
        expect(loud).toEqual([])
      }),
    )

    test(
      'R39 they are for admins',
      on(async ({ node, hook }) => {
        const { id } = await node.add(hook.url)
        const headers = { 'x-project': 'p' }
        const calls = [
          ['GET', ''],
          ['POST', ''],
          ['GET', `/${id}`],
          ['PATCH', `/${id}`],
          ['DELETE', `/${id}`],
          ['GET', `/${id}/dead-letters`],
          ['POST', `/${id}/dead-letters/redeliver`],
        ] as const
        for (const [method, path] of calls) {
          const body = method === 'GET' || method === 'DELETE' ? undefined : {}
          expect((await node.call(method, path, body, headers)).status).toBe(403)
        }
      }),
    )

    test(
      'R39 what cannot be used is refused with the reason',
      on(
        async ({ node, hook }) => {
          const bad: [object, RegExp][] = [
            [{}, /url/],
            [{ url: 'hook' }, /http or https/],
            [{ url: 'http://10.0.0.1/' }, /private, link-local/],
            [{ url: 'http://169.254.169.254/' }, /webhooks\.allowed_networks/],
            [{ url: hook.url, format: 'notification' }, /format/],
            [{ url: hook.url, secret: 'short' }, /secret/],
            [{ url: hook.url, secret: 'whsec_tooShortForASecret==' }, /24 bytes/],
            [{ url: hook.url, filters: { event_filters: 'a' } }, /event_filters/],
            [{ url: hook.url, filters: { min_severity: 'loud' } }, /severity/],
            [{ url: hook.url, colour: 'red' }, /additional|colour/],
            [{ url: hook.url, since: 'yesterday' }, /since/],
          ]
          for (const [body, message] of bad) {
            const answer = await node.call('POST', '', body)
            expect([body, answer.status, JSON.stringify(answer.body)]).toEqual([
              body,
              400,
              expect.stringMatching(message),
            ])
          }
          await node.add(hook.url)
          expect(await node.call('POST', '', { url: hook.url })).toMatchObject({ status: 409 })
        },
        { dispatch: { alone: true }, desk: { maxWebhooks: 1 } },
      ),
    )

    test(
      'R39 whatever is posted is answered, and never with a fault of ours',
      on(async ({ node }) => {
        const member = constantFrom('url', 'filters', 'format', 'secret', 'active', 'since', 'description', 'x')
        const value = oneof(jsonValue(), constantFrom('http://127.0.0.1:1/', 'native', 'earliest', true, {}))
        await assert(
          asyncProperty(dictionary(member, value), constantFrom('POST', 'PATCH'), async (body, method) => {
            const { status } = await node.call(method, method === 'POST' ? '' : '/x', body)
            expect([201, 400, 404, 409]).toContain(status)
          }),
          { numRuns: 50 },
        )
      }),
    )

    test(
      'R39 dead letters are kept up to a number, the newest',
      on(
        async ({ lab, node, hook }) => {
          await configureForwarding(lab, hook.url)
          await node.dispatcher.changed('forwarding')
          hook.reply(() => 422)
          const ids = await lab.happen(5)
          await expect.poll(async () => (await node.show('forwarding'))['cursor'], PATIENT).toMatch(/:5$/)
          const { body } = await node.call('GET', '/forwarding/dead-letters')
          const kept = (body['dead_letters'] as { event_id: string; id: string }[]).map(({ event_id: each }) => each)
          expect(kept).toEqual(ids.slice(2))
          hook.reply((_delivery, nth) => (nth === 7 ? 500 : 204))
          expect((await node.call('POST', '/forwarding/dead-letters/redeliver')).status).toBe(424)
          expect(await node.show('forwarding')).toMatchObject({ dead_letters: 2 })
          hook.reply(() => 204)
          expect(await node.call('POST', '/forwarding/dead-letters/redeliver')).toMatchObject({
            body: { delivered: 2 },
          })
          expect(hook.ids.slice(5)).toEqual([ids[2], ids[3], ids[3], ids[4]])
        },
        { dispatch: { alone: true, deadLettersKept: 3 } },
      ),
    )
  })

  describe(`${name}: the forwarding of the configuration (8.5)`, () => {
    test(
      'E-171 … E-179 posts six members to the API, baremetal only, and survives restarts',
      on(async ({ lab, node, hook }) => {
        const base = new URL('/api//', hook.url).href
        await configureForwarding(lab, base)
        await configureForwarding(lab, base)
        await node.dispatcher.changed('forwarding')
        await lab.happen(1, { event_type: 'image.update', service_type: 'image' })
        const [id] = await lab.happen(1, { severity: 'warning', publisher_id: 'p' })
        await seen(hook, [id!])
        const [delivery] = hook.deliveries
        expect(delivery!.path).toBe('/api/notifications/baremetal')
        const body = parseJson(delivery!.body, 'b') as JsonObject
        expect(Object.keys(body)).toEqual([
          'priority',
          'event_type',
          'timestamp',
          'publisher_id',
          'message_id',
          'payload',
        ])
        expect(body).toMatchObject({ priority: 'WARN', publisher_id: 'p', payload: { name: 2 } })
        expect(body['payload']).not.toHaveProperty('service_type')
        await configureForwarding(lab, new URL('/v2', hook.url).href)
        await node.dispatcher.changed('forwarding')
        await lab.happen(1)
        await expect.poll(() => hook.deliveries[1]?.path, PATIENT).toBe('/v2/notifications/baremetal')
        expect(await node.call('PATCH', '/forwarding', { active: false })).toMatchObject({ status: 409 })
        expect(await node.call('DELETE', '/forwarding')).toMatchObject({ status: 409 })
        await configureForwarding(lab, '')
        expect((await node.call('GET', '/forwarding')).status).toBe(404)
      }),
    )

    test(
      'E-174 three tries, 3 s and 9 s apart, then it is a dead letter',
      on(async (ground) => {
        const { lab, node, hook } = ground
        await configureForwarding(lab, hook.url)
        await node.dispatcher.changed('forwarding')
        hook.reply(() => 503)
        const [id] = await lab.happen(1)
        expect(await untilRetry(ground, 'forwarding', 1)).toBe(3000)
        await lab.clock.advance(3000)
        expect(await untilRetry(ground, 'forwarding', 2)).toBe(9000)
        await lab.clock.advance(9000)
        await expect.poll(async () => (await node.show('forwarding'))['dead_letters'], PATIENT).toBe(1)
        expect(hook.ids).toEqual([id, id, id])
      }),
    )
  })
}
