import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Domain, LibvirtConnection } from '@mainstay/libvirt-rpc'
import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { SystemRandom } from '../../packages/mainstay/src/core/random.ts'
import { agentOptions, startAgent, type RunningAgent } from '../../packages/mainstay/src/monitors/index.ts'
import { NotificationReceiver } from '../support/notification-receiver.ts'
import { useLibvirtLab } from './lab/libvirt-lab.ts'
import { tinyDomainXml, type TinyDomainOptions } from './lab/tiny-domain.ts'
import { waitUntil } from './lab/wait-until.ts'

const lab = useLibvirtLab()
const PATIENCE_MS = 40_000

interface Watched {
  readonly receiver: NotificationReceiver
  readonly connection: LibvirtConnection
  /** Starts the agent; it stops after the test unless it is stopped before. */
  startAgent(changed?: { readonly uuidSource?: string }): Promise<RunningAgent>
  /** Waits until the agent has compared what it knows with libvirt. */
  untilReady(agent: RunningAgent): Promise<void>
  /** Waits for so many notifications about a guest, and returns `event/vir_domain_event` of each. */
  told(uuid: string, count: number): Promise<string[]>
}

async function watched(): Promise<Watched> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-agent-'))
  onTestFinished(async () => await rm(directory, { recursive: true, force: true }))
  const receiver = await NotificationReceiver.start()
  onTestFinished(async () => await receiver[Symbol.asyncDispose]())
  const about = (uuid: string): string[] =>
    receiver.taken
      .map(({ notification }) => notification.payload)
      .filter(({ instance_uuid: instance }) => instance === uuid)
      .map(({ event, vir_domain_event: detail }) => `${event}/${detail}`)
  return {
    receiver,
    connection: await lab.connect(),
    async startAgent(changed = {}) {
      const options = agentOptions({
        hostname: 'lab-host',
        stateDir: directory,
        sender: { spoolDir: join(directory, 'spool') },
        api: { endpoint: receiver.endpoint, authType: 'none' },
        libvirt: { connectionUri: `qemu:///system?socket=${lab.host.readOnlySocketPath}` },
        instance: changed,
        metrics: { listen: '127.0.0.1:0' },
      })
      const clock = new SystemClock()
      const deps = { clock, ids: new SystemIds(), random: new SystemRandom(), logger: silentLogger() }
      const agent = await startAgent(['instance'], options, deps)
      let stopped: Promise<void> | undefined
      const stop = async (): Promise<void> => await (stopped ??= agent.stop())
      onTestFinished(stop)
      return { ...agent, stop }
    },
    async untilReady(agent) {
      const ready = async (): Promise<boolean> => (await fetch(`http://${agent.healthAddress}/readyz`)).ok
      await waitUntil(ready, { timeoutMs: PATIENCE_MS, what: 'an agent that has compared the guests with libvirt' })
    },
    async told(uuid, count) {
      return await waitUntil(() => about(uuid).length >= count && about(uuid), {
        timeoutMs: PATIENCE_MS,
        what: `${count} notifications about ${uuid}`,
      })
    },
  }
}

async function startedGuest({ connection }: Watched, options?: TinyDomainOptions): Promise<Domain> {
  return await connection.create(await lab.defineGuest(options))
}

describe('the instance monitor on a real libvirt', () => {
  test('SIGKILL of QEMU is told as LIFECYCLE/STOPPED_FAILED, once', async () => {
    const world = await watched()
    const agent = await world.startAgent()
    await world.untilReady(agent)
    const guest = await startedGuest(world)
    const before = Date.now()
    await lab.host.killQemu(guest.name)
    expect(await world.told(guest.uuid, 1)).toEqual(['LIFECYCLE/STOPPED_FAILED'])
    const [taken] = world.receiver.taken
    expect(taken?.notification).toMatchObject({ type: 'VM', hostname: 'lab-host' })
    expect(taken?.notification.generated_time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(Date.parse(taken?.notification.generated_time ?? '')).toBeGreaterThanOrEqual(before - 1)
    await agent.stop()
    expect(await world.told(guest.uuid, 1)).toHaveLength(1)
  })

  test('IM-7 a guest that is destroyed is told as that, in the order of libvirt', async () => {
    const world = await watched()
    await world.untilReady(await world.startAgent())
    const guest = await startedGuest(world)
    await world.connection.destroy(guest)
    expect(await world.told(guest.uuid, 1)).toEqual(['LIFECYCLE/STOPPED_DESTROYED'])
  })

  test('IM-6 the reboot events of one reset are one report', async () => {
    const world = await watched()
    await world.untilReady(await world.startAgent())
    const guest = await startedGuest(world)
    await world.connection.reset(guest)
    expect(await world.told(guest.uuid, 1)).toEqual(['REBOOT/UNKNOWN'])
    await world.connection.destroy(guest)
    const ended = async (): Promise<string[] | false> => {
      const told = await world.told(guest.uuid, 1)
      return told.includes('LIFECYCLE/STOPPED_DESTROYED') && told
    }
    const all = await waitUntil(ended, { timeoutMs: PATIENCE_MS, what: 'the end of the guest' })
    expect(all.filter((fact) => fact === 'REBOOT/UNKNOWN')).toHaveLength(1)
  })

  test('IM-3, IM-4 libvirtd goes, QEMU is killed, libvirtd comes back: the guest is told of by comparison', async () => {
    const world = await watched()
    const agent = await world.startAgent()
    await world.untilReady(agent)
    const guest = await startedGuest(world)
    await lab.host.stopDaemon()
    await lab.host.killQemu(guest.name)
    await lab.host.startDaemon()
    expect(await world.told(guest.uuid, 1)).toEqual(['LIFECYCLE/STOPPED_FAILED'])
    await world.untilReady(agent)
    const metrics = await (await fetch(`http://${agent.healthAddress}/metrics`)).text()
    expect(metrics).toContain('mainstay_libvirt_connected 1')
    expect(metrics).toContain('mainstay_libvirt_reconnects_total 1')
  })

  test('a guest that dies while the agent is down is told of when it is back', async () => {
    const world = await watched()
    const first = await world.startAgent()
    await world.untilReady(first)
    const guest = await startedGuest(world)
    const survivor = await startedGuest(world, { name: 'survivor' })
    await first.stop()
    await lab.host.killQemu(guest.name)
    await world.untilReady(await world.startAgent())
    expect(await world.told(guest.uuid, 1)).toEqual(['LIFECYCLE/STOPPED_FAILED'])
    expect(world.receiver.taken).toHaveLength(1)
    await world.connection.destroy(survivor)
    expect(await world.told(survivor.uuid, 1)).toEqual(['LIFECYCLE/STOPPED_DESTROYED'])
  })

  test('7.5 a transient guest that vanished with its QEMU is told of, one that was undefined by somebody is not', async () => {
    const world = await watched()
    const agent = await world.startAgent()
    await world.untilReady(agent)
    const transient = await world.connection.createXml(tinyDomainXml({ name: 'transient' }))
    const deleted = await startedGuest(world, { name: 'deleted' })
    await agent.stop()
    await lab.host.stopDaemon()
    await lab.host.killQemu(transient.name)
    await lab.host.startDaemon()
    await lab.host.virsh('destroy', deleted.name)
    await lab.host.virsh('undefine', deleted.name)
    await world.untilReady(await world.startAgent())
    expect(await world.told(transient.uuid, 1)).toEqual(['LIFECYCLE/STOPPED_FAILED'])
    expect(world.receiver.taken.map(({ notification }) => notification.payload['instance_uuid'])).toEqual([
      transient.uuid,
    ])
  })

  test('the API is away while a guest dies: it is told of when the API is back, with the time of its death', async () => {
    const world = await watched()
    world.receiver.status = 503
    await world.untilReady(await world.startAgent())
    const guest = await startedGuest(world)
    await lab.host.killQemu(guest.name)
    await waitUntil(() => world.receiver.attempts > 0, { timeoutMs: PATIENCE_MS, what: 'an attempt to tell' })
    const died = Date.now()
    world.receiver.status = 202
    expect(await world.told(guest.uuid, 1)).toEqual(['LIFECYCLE/STOPPED_FAILED'])
    expect(Date.parse(world.receiver.taken[0]?.notification.generated_time ?? '')).toBeLessThanOrEqual(died)
  })

  test('IM-10 the identity of a guest is taken from its metadata', async () => {
    const world = await watched()
    const extra =
      `<metadata><f:fleet xmlns:f="http://example.org/fleet"><f:machine>ABCDEF00-1111-4222-8333-444455556666` +
      `</f:machine></f:fleet></metadata>`
    const agent = await world.startAgent({ uuidSource: 'metadata:http://example.org/fleet#machine' })
    await world.untilReady(agent)
    const guest = await startedGuest(world, { extra })
    await lab.host.killQemu(guest.name)
    const identity = 'abcdef00-1111-4222-8333-444455556666'
    expect(await world.told(identity, 1)).toEqual(['LIFECYCLE/STOPPED_FAILED'])
  })
})
