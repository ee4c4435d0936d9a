import { beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { ShutdownError } from '../../core/errors.ts'
import { SystemIds } from '../../core/ids.ts'
import { createLogger, silentLogger } from '../../core/logging.ts'
import { Metrics } from '../../core/metrics.ts'
import { SeededRandom } from '../../core/random.ts'
import { TaskGroup } from '../../core/task-group.ts'
import type { Report, VmReport } from '../report.ts'
import type { DeliveryOutcome } from './delivery-policy.ts'
import { MemorySpoolDirectory } from './memory-spool-directory.ts'
import type { NotificationApi } from './notification-api.ts'
import { Sender, type SenderOptions } from './sender.ts'
import { senderMetrics } from './sender-metrics.ts'
import { Spool } from './spool.ts'
import type { SpoolRecord } from './spool-entry.ts'

const MINUTE_MS = 60_000
const times = { intervalMs: 10_000, max: 12 }
const options: SenderOptions = {
  concurrency: 4,
  mode: 'backoff',
  capMs: 60_000,
  ttlMs: 24 * 60 * MINUTE_MS,
  maxRetryAfterMs: 60 * MINUTE_MS,
  retry: { COMPUTE_HOST: times, VM: times, PROCESS: times },
}

const status = (code: number, retryAfterMs?: number): DeliveryOutcome => {
  return { kind: 'answered', status: code, retryAfterMs, text: '' }
}

/** The other side: answers as it is told, remembers what it took, takes nothing twice under one id. */
class Receiver implements NotificationApi {
  answer: (record: SpoolRecord, signal: AbortSignal) => Promise<DeliveryOutcome> = async () => status(202)
  readonly attempts: { id: string; subject: string; at: number }[] = []
  readonly taken = new Map<string, Report>()
  forgotten = 0
  inFlight = 0
  mostInFlight = 0

  async post(record: SpoolRecord, { signal }: { signal: AbortSignal }): Promise<DeliveryOutcome> {
    this.attempts.push({ id: record.id, subject: record.subject, at: clock.monotonic() })
    this.inFlight += 1
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
    try {
      const outcome = await this.answer(record, signal)
      if (outcome.kind === 'answered' && outcome.status === 202) this.taken.set(record.id, record.report)
      return outcome
    } finally {
      this.inFlight -= 1
    }
  }

  forgetToken(): void {
    this.forgotten += 1
  }

  /** What was taken of a subject, in order. */
  events(uuid: string): string[] {
    const reports = [...this.taken.values()] as VmReport[]
    return reports.filter((r) => r.payload.instance_uuid === uuid).map((r) => r.payload.vir_domain_event)
  }
}

let clock: ManualClock
let receiver: Receiver
let directory: MemorySpoolDirectory

beforeEach(() => {
  clock = new ManualClock()
  receiver = new Receiver()
  directory = new MemorySpoolDirectory()
})

async function start(
  changed: Partial<SenderOptions> = {},
  logger = silentLogger(),
): Promise<{ sender: Sender; spool: Spool; metrics: Metrics }> {
  const metrics = new Metrics()
  const spool = await Spool.open({ directory, clock, ids: new SystemIds(), logger })
  const sender = new Sender({
    spool,
    clock,
    logger,
    api: receiver,
    random: new SeededRandom(7),
    tasks: new TaskGroup({ clock, logger }),
    metrics: senderMetrics(metrics, spool, () => clock.now()),
    options: () => ({ ...options, ...changed }),
  })
  sender.start()
  return { sender, spool, metrics }
}

function vm(uuid: string, virDomainEvent = 'STOPPED_FAILED'): VmReport {
  const payload = { event: 'LIFECYCLE', instance_uuid: uuid, vir_domain_event: virDomainEvent }
  return { type: 'VM', hostname: 'cn1', detectedAtMs: clock.now(), payload }
}

const UNREACHABLE: DeliveryOutcome = { kind: 'unreachable', text: 'connect ECONNREFUSED' }
const down: Receiver['answer'] = async () => UNREACHABLE

describe('the sender', () => {
  test('delivers at once what was accepted and empties the spool', async () => {
    const { sender, spool } = await start()
    await sender.accept(vm('u'))
    await clock.advance(0)
    expect(receiver.events('u')).toEqual(['STOPPED_FAILED'])
    expect(spool.size).toBe(0)
    expect(sender.status).toEqual({ apiReachable: true, waiting: 0, durable: true })
  })

  test('SND-7 a report is accepted while the API hangs', async () => {
    receiver.answer = async () => await new Promise<never>(() => undefined)
    const { sender } = await start()
    for (const uuid of ['1', '2', '3', '4', '5', '6']) {
      expect(await sender.accept(vm(uuid))).toMatchObject({ durable: true })
    }
    expect(receiver.inFlight).toBe(4)
  })

  test('SND-3 retries keep the time of detection', async () => {
    receiver.answer = down
    const { sender } = await start()
    const report = vm('u')
    await sender.accept(report)
    await clock.advance(5 * MINUTE_MS)
    receiver.answer = async () => status(202)
    await clock.advance(MINUTE_MS)
    expect([...receiver.taken.values()]).toEqual([report])
  })

  test('SND-6 retry_mode = compat tries 13 times at a constant pause, and goes on afterwards', async () => {
    receiver.answer = down
    const { sender } = await start({ mode: 'compat' })
    await sender.accept(vm('u'))
    await clock.advance(120_000)
    expect(receiver.attempts.map(({ at }) => at)).toEqual(Array.from({ length: 13 }, (_, n) => n * 10_000))
    await clock.advance(10 * MINUTE_MS)
    expect(receiver.attempts.length).toBeGreaterThan(20)
  })

  test('keeps the order of a subject, one record at a time, while others overtake it', async () => {
    receiver.answer = async (record) => (record.subject === 'vm:a' ? status(503) : status(202))
    const { sender } = await start()
    for (const event of ['STOPPED_FAILED', 'STOPPED_SHUTDOWN', 'STOPPED_DESTROYED']) await sender.accept(vm('a', event))
    await sender.accept(vm('b'))
    await clock.advance(2 * MINUTE_MS)
    expect(receiver.events('b')).toHaveLength(1)
    expect(new Set(receiver.attempts.filter(({ subject }) => subject === 'vm:a').map(({ id }) => id)).size).toBe(1)
    receiver.answer = async () => status(202)
    await clock.advance(MINUTE_MS)
    expect(receiver.events('a')).toEqual(['STOPPED_FAILED', 'STOPPED_SHUTDOWN', 'STOPPED_DESTROYED'])
  })

  test('sends at most send_concurrency subjects at once', async () => {
    const answers: (() => void)[] = []
    receiver.answer = async () => await new Promise((resolve) => answers.push(() => resolve(status(202))))
    const { sender } = await start()
    for (let n = 0; n < 20; n += 1) await sender.accept(vm(`${n}`))
    for (let n = 0; n < 20; n += 1) {
      answers.shift()?.()
      await clock.advance(0)
    }
    expect(receiver.taken.size).toBe(20)
    expect(receiver.mostInFlight).toBe(4)
  })

  test('401: asks for another token and tries once more at once, then backs off', async () => {
    receiver.answer = async () => status(401)
    const { sender } = await start()
    await sender.accept(vm('u'))
    await clock.advance(0)
    expect(receiver.attempts).toHaveLength(2)
    expect(receiver.forgotten).toBe(1)
    receiver.answer = async () => status(receiver.forgotten >= 2 ? 202 : 401)
    await clock.advance(MINUTE_MS)
    expect(receiver.taken.size).toBe(1)
  })

  test('400: gives the record up with the reason and goes on with the next of the subject', async () => {
    receiver.answer = async ({ attempts, report }) =>
      attempts === 0 && (report as VmReport).payload.vir_domain_event === 'BAD' ? status(400) : status(202)
    const { sender, metrics } = await start()
    await sender.accept(vm('u', 'BAD'))
    await sender.accept(vm('u', 'GOOD'))
    await clock.advance(0)
    expect(receiver.events('u')).toEqual(['GOOD'])
    expect(await directory.read('dead-letters.jsonl')).toContain('"vir_domain_event":"BAD"')
    expect(await metrics.text()).toContain('mainstay_dead_letters_total 1')
  })

  test.each([
    ['a warning: the failure may be a second one', status(503), 40, '180 s unless configured otherwise'],
    ['no news when an answer was lost: it is our own', UNREACHABLE, 30, 'not answered'],
  ])('409 is the end of it, and %s', async (_what, first, level, said) => {
    receiver.answer = async ({ attempts }) => (attempts === 0 ? first : { ...status(409), text: 'received already' })
    const lines: string[] = []
    const destination = { write: (line: string) => void lines.push(line) }
    const { sender, spool, metrics } = await start({}, createLogger({ format: 'json', destination }))
    await sender.accept(vm('u'))
    await clock.advance(60 * MINUTE_MS)
    expect(receiver.attempts).toHaveLength(2)
    expect(spool.size).toBe(0)
    expect(await metrics.text()).toContain(
      'mainstay_notifications_total{type="VM",event="LIFECYCLE",result="duplicate"} 1',
    )
    const last = JSON.parse(lines.at(-1) ?? '') as { msg: string }
    expect(last).toMatchObject({ level, subject: 'vm:u', answer: '409 received already' })
    expect(last.msg).toContain(said)
    expect(last.msg).toContain('mainstay recovery list')
  })

  test('gives up after spool_ttl', async () => {
    receiver.answer = down
    const { sender, spool } = await start({ ttlMs: 10 * MINUTE_MS })
    await sender.accept(vm('u'))
    await clock.advance(9 * MINUTE_MS)
    expect(spool.size).toBe(1)
    await clock.advance(2 * MINUTE_MS)
    expect(spool.size).toBe(0)
    expect(await directory.read('dead-letters.jsonl')).toContain('not delivered in time: connect ECONNREFUSED')
  })

  test('a flood of new records does not shorten the pause of their subject', async () => {
    receiver.answer = async () => status(503, 30_000)
    const { sender } = await start()
    for (let n = 0; n < 50; n += 1) {
      await sender.accept(vm('u', `E${n}`))
      await clock.advance(500)
    }
    expect(receiver.attempts).toHaveLength(1)
  })

  test('wake() ends pauses, but not those that the API has asked for', async () => {
    receiver.answer = async ({ subject }) => (subject === 'vm:asked' ? status(503, 600_000) : UNREACHABLE)
    const { sender } = await start()
    await sender.accept(vm('asked'))
    await sender.accept(vm('u'))
    await clock.advance(0)
    receiver.answer = async () => status(202)
    sender.wake()
    await clock.advance(0)
    expect([...receiver.taken.values()]).toMatchObject([{ payload: { instance_uuid: 'u' } }])
    await clock.advance(600_000)
    expect(receiver.taken.size).toBe(2)
  })
})

describe('the API is away (monitors 14.18)', () => {
  test('10 minutes, the agent killed in between: every event delivered, once per id, in order per subject', async () => {
    receiver.answer = down
    const first = await start()
    const events = ['SUSPENDED_IOERROR', 'STOPPED_FAILED', 'STOPPED_SHUTDOWN']
    for (const event of events) {
      for (let n = 0; n < 10; n += 1) await first.sender.accept(vm(`${n}`, event))
      await clock.advance(100_000)
    }
    directory = directory.afterPowerCut((atRisk) => Math.floor(atRisk / 2)) // and no good-bye to `first`
    clock = new ManualClock(clock.now())
    const second = await start()
    await clock.advance(300_000)
    expect(receiver.taken.size).toBe(0)
    receiver.answer = async () => status(202)
    await clock.advance(MINUTE_MS)
    for (let n = 0; n < 10; n += 1) expect(receiver.events(`${n}`)).toEqual(events)
    expect(receiver.taken.size).toBe(30)
    expect(second.spool.size).toBe(0)
  })
})

describe('stopping (monitors DL-2, shutdown_grace)', () => {
  test('takes no time when nothing is being sent, and leaves the rest on disk', async () => {
    receiver.answer = down
    const { sender } = await start()
    await sender.accept(vm('u'))
    await clock.advance(0)
    await sender.stop({ graceMs: 10_000 })
    expect(clock.pending).toBe(0)
    await expect(sender.accept(vm('v'))).rejects.toThrow(ShutdownError)
    receiver.answer = async () => status(202)
    await start()
    await clock.advance(0)
    expect(receiver.events('u')).toEqual(['STOPPED_FAILED'])
  })

  test('lets an attempt finish', async () => {
    let finish = (): void => undefined
    receiver.answer = async () => await new Promise((resolve) => (finish = () => resolve(status(202))))
    const { sender, spool } = await start()
    await sender.accept(vm('u'))
    const stopped = sender.stop({ graceMs: 10_000 })
    await clock.advance(5_000)
    finish()
    await stopped
    expect(spool.size).toBe(0)
  })

  test('gives up an attempt that outlasts the grace, and keeps its record', async () => {
    receiver.answer = async (_record, signal) =>
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
    const { sender, spool } = await start()
    await sender.accept(vm('u'))
    const stopped = sender.stop({ graceMs: 10_000 })
    await clock.advance(10_000)
    await stopped
    expect(spool.records()).toMatchObject([{ attempts: 0 }])
  })
})
