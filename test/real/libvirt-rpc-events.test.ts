import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { describeDomainState, DomainEventId, DomainStartFlag, LibvirtErrorCode } from '@mainstay/libvirt-rpc'
import type { Domain, DomainEvent, LibvirtConnection } from '@mainstay/libvirt-rpc'
import { programSpec, startAlone } from '../support/managed-process.ts'
import { need, type Skipping } from '../support/need.ts'
import { bootDisk, bootDiskXml } from './lab/boot-sector.ts'
import type { GuestDeed } from './lab/boot-sector.ts'
import { useLibvirtLab } from './lab/libvirt-lab.ts'
import type { TinyDomainOptions } from './lab/tiny-domain.ts'
import { virshEvents } from './lab/virsh-events.ts'
import { waitUntil } from './lab/wait-until.ts'

const lab = useLibvirtLab()
const patience = { timeout: 20_000 }

/** The details of lifecycle events in the words of virsh, by event and detail. */
const lifecycleWords: readonly (readonly [string, ...(readonly string[])])[] = [
  ['Defined', 'Added', 'Updated', 'Renamed', 'Snapshot'],
  ['Undefined', 'Removed', 'Renamed'],
  ['Started', 'Booted', 'Migrated', 'Restored', 'Snapshot', 'Event wakeup'],
  ['Suspended', 'Paused', 'Migrated', 'I/O Error', 'Watchdog', 'Restored', 'Snapshot', 'API error', 'Post-copy'],
  ['Resumed', 'Unpaused', 'Migrated', 'Snapshot', 'Post-copy'],
  ['Stopped', 'Shutdown', 'Destroyed', 'Crashed', 'Migrated', 'Saved', 'Failed', 'Snapshot'],
  ['Shutdown', 'Finished', 'Finished after guest request', 'Finished after host request'],
  ['PMSuspended', 'Memory', 'Disk'],
  ['Crashed', 'Panicked', 'Crashloaded'],
]

/** An event in the words of virsh; only those that the tests below compare. */
function inVirshWords(event: DomainEvent): string {
  switch (event.id) {
    case DomainEventId.LIFECYCLE: {
      const [name, ...details] = lifecycleWords[event.event]!
      return `lifecycle: ${name} ${details[event.detail]}`
    }
    case DomainEventId.REBOOT:
      return 'reboot'
    case DomainEventId.CONTROL_ERROR:
      return 'control-error'
    case DomainEventId.WATCHDOG:
      return `watchdog: ${['none', 'pause', 'reset', 'poweroff', 'shutdown', 'debug', 'inject-nmi'][event.action]}`
    case DomainEventId.AGENT_LIFECYCLE:
      return `agent-lifecycle: state: '${['', 'connected', 'disconnected'][event.state]}' reason: '${
        ['unknown', 'domain started', 'channel event'][event.reason]
      }'`
    default:
      return `${event.id}`
  }
}

const comparedIds = [
  DomainEventId.LIFECYCLE,
  DomainEventId.REBOOT,
  DomainEventId.CONTROL_ERROR,
  DomainEventId.WATCHDOG,
  DomainEventId.AGENT_LIFECYCLE,
]

interface Recording {
  readonly events: DomainEvent[]
  /** Waits until an event has arrived that the pattern matches, and returns it. */
  readonly until: (pattern: object) => Promise<DomainEvent>
}

async function record(connection: LibvirtConnection, ids: readonly DomainEventId[]): Promise<Recording> {
  const events: DomainEvent[] = []
  for (const id of ids) await connection.subscribe(id, {}, (event: DomainEvent) => events.push(event))
  return {
    events,
    until: (pattern) =>
      waitUntil(() => events.find((event) => matches(event, pattern)), {
        timeoutMs: 20_000,
        what: `an event like ${JSON.stringify(pattern)}; there were ${events.map(inVirshWords).join(', ')}`,
      }),
  }
}

const matches = (event: DomainEvent, pattern: object): boolean =>
  Object.entries(pattern).every(([key, value]) => Object.entries(event).some(([k, v]) => k === key && v === value))

/** A guest whose boot sector does one deed. */
async function guestThatWill(deed: GuestDeed, options: TinyDomainOptions = {}): Promise<Domain> {
  const path = join(lab.host.directory, `${deed}.img`)
  await writeFile(path, bootDisk(deed))
  return lab.defineGuest({ name: deed, ...options, devices: `${bootDiskXml(path)}${options.devices ?? ''}` })
}

const started = [
  "agent-lifecycle: state: 'disconnected' reason: 'domain started'",
  'lifecycle: Resumed Unpaused',
  'lifecycle: Started Booted',
]

interface Cause {
  readonly what: string
  readonly guest: () => Promise<Domain>
  readonly cause: (connection: LibvirtConnection, guest: Domain) => Promise<unknown>
  /** What comes after the guest has been started. */
  readonly events: readonly string[]
  /** What comes sometimes. */
  readonly perhaps?: string
}

const anyGuest = (): Promise<Domain> => lab.defineGuest({ name: 'guest' })
const nothingMore = async (): Promise<void> => {}

const causes: readonly Cause[] = [
  {
    what: 'SIGKILL of QEMU',
    guest: anyGuest,
    cause: (_, { name }) => lab.host.killQemu(name),
    events: ['lifecycle: Stopped Failed'],
  },
  {
    what: 'SIGTERM of QEMU',
    guest: anyGuest,
    cause: (_, { name }) => lab.host.killQemu(name, 'SIGTERM'),
    events: ['lifecycle: Shutdown Finished after host request', 'lifecycle: Stopped Shutdown'],
  },
  {
    what: 'destroy',
    guest: anyGuest,
    cause: (connection, guest) => connection.destroy(guest),
    events: ['lifecycle: Shutdown Finished after host request', 'lifecycle: Stopped Destroyed'],
  },
  {
    what: 'the guest powers off',
    guest: () => guestThatWill('power-off'),
    cause: nothingMore,
    events: ['lifecycle: Shutdown Finished after guest request', 'lifecycle: Stopped Shutdown'],
  },
  {
    what: 'the guest panics, on_crash=destroy',
    guest: () => guestThatWill('panic', { devices: "<panic model='isa'/>" }),
    cause: nothingMore,
    events: ['lifecycle: Crashed Panicked', 'lifecycle: Stopped Crashed'],
    perhaps: 'lifecycle: Suspended Paused',
  },
  {
    what: 'the watchdog bites, action=pause',
    guest: () => guestThatWill('fire-watchdog', { watchdog: { model: 'ib700', action: 'pause' } }),
    cause: nothingMore,
    events: ['watchdog: pause', 'lifecycle: Suspended Watchdog'],
  },
  {
    what: 'suspend',
    guest: anyGuest,
    cause: (connection, guest) => connection.suspend(guest),
    events: ['lifecycle: Suspended Paused'],
  },
]

describe('what happens to a guest (monitors.md 7.4), as virsh tells it', () => {
  test.for(causes)('$what', async ({ guest: defineGuest, cause, events, perhaps }) => {
    await using oracle = await virshEvents(lab.host)
    const connection = await lab.connect()
    const guest = await defineGuest()
    const heard: string[] = []
    for (const id of comparedIds) {
      await connection.subscribe(id, { domain: guest }, (event: DomainEvent) => heard.push(inVirshWords(event)))
    }
    await connection.create(guest)
    await cause(connection, guest)
    const certain = (): string[] => heard.filter((text) => text !== perhaps)
    await expect.poll(certain, patience).toEqual([...started, ...events])
    await expect.poll(() => oracle.of(guest.name).filter((text) => !/Defined/.test(text)), patience).toEqual(heard)
  })

  test('a start that fails in QEMU', async () => {
    await using oracle = await virshEvents(lab.host)
    const connection = await lab.connect()
    const { events } = await record(connection, [DomainEventId.CONTROL_ERROR])
    const guest = await lab.defineGuest({
      name: 'misfit',
      extra: `<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
        <qemu:arg value='-no-such-option'/>
      </qemu:commandline>`,
    })
    await expect(connection.create(guest)).rejects.toMatchObject({ code: LibvirtErrorCode.INTERNAL_ERROR })
    await expect.poll(() => oracle.of(guest.name), patience).toContain('control-error')
    expect(events.map(inVirshWords)).toEqual(['control-error'])
    expect(describeDomainState(await connection.getState(guest))).toBe('shut off (failed)')
  })

  test('a reset tells of reboots, and of nothing else', async () => {
    const connection = await lab.connect()
    const guest = await lab.defineGuest()
    await connection.create(guest)
    const { events, until } = await record(connection, comparedIds)
    await connection.reset(guest)
    await until({ id: DomainEventId.REBOOT })
    expect(events.filter(({ id }) => id !== DomainEventId.REBOOT)).toEqual([])
  })

  test('a guest that resets itself tells of reboots', async () => {
    const connection = await lab.connect()
    const { until } = await record(connection, [DomainEventId.REBOOT])
    const guest = await guestThatWill('reset')
    await connection.create(guest)
    expect(await until({ id: DomainEventId.REBOOT })).toMatchObject({ domain: { uuid: guest.uuid } })
  })

  test('a disk that cannot be read pauses the guest', async (context) => {
    const image = join(lab.host.directory, 'broken.img')
    const socket = join(lab.host.directory, 'broken.sock')
    await writeFile(image, Buffer.alloc(1024 * 1024, 1))
    await serveBrokenDisk(context, image, socket)
    const connection = await lab.connect()
    const { until } = await record(connection, [DomainEventId.LIFECYCLE])
    const guest = await lab.defineGuest({
      devices: `<disk type='network' device='disk'>
        <driver name='qemu' type='raw' error_policy='stop' rerror_policy='stop'/>
        <source protocol='nbd'><host transport='unix' socket='${socket}'/></source>
        <target dev='hda' bus='ide'/>
      </disk>`,
    })
    await connection.create(guest)
    expect(inVirshWords(await until({ id: DomainEventId.LIFECYCLE, event: 3 }))).toBe('lifecycle: Suspended I/O Error')
    const { stdout } = await lab.host.virsh('domstate', '--reason', guest.name)
    expect(stdout.trim()).toBe('paused (I/O error)')
  })
})

/** An NBD server whose every read fails (monitors.md 13.2). */
async function serveBrokenDisk(context: Skipping, image: string, socket: string): Promise<void> {
  const broken = `file.driver=blkdebug,file.image.driver=file,file.image.filename=${image}`
  const inject = 'file.inject-error.0.event=none,file.inject-error.0.iotype=read,file.inject-error.0.errno=5'
  const program = need(context, { program: 'qemu-nbd', package: 'qemu-utils' })
  const command = [program, '-t', '-k', socket, '--image-opts', `driver=raw,${broken},${inject}`]
  const server = await startAlone({ ...programSpec('qemu-nbd', command), ready: { unix: socket } })
  onTestFinished(async () => void (await server.dispose()))
}

describe('events with more to tell', () => {
  test('metadata, tunables, devices, block jobs, save', async (context) => {
    const { host } = lab
    const base = join(host.directory, 'base.img')
    const disk = join(host.directory, 'disk.qcow2')
    await writeFile(base, Buffer.alloc(1024 * 1024, 1))
    await writeFile(`${base}.iso`, Buffer.alloc(64 * 1024, 1))
    await createOverlay(context, base, disk)
    const connection = await lab.connect()
    const { until } = await record(connection, Object.values(DomainEventId))
    const guest = await lab.defineGuest({
      name: 'rich',
      devices: `
        <disk type='file' device='disk'>
          <driver name='qemu' type='qcow2'/><source file='${disk}'/><target dev='vda' bus='virtio'/>
        </disk>
        <disk type='file' device='cdrom'>
          <source file='${host.directory}/missing.iso' startupPolicy='optional'/><target dev='hdc' bus='ide'/>
        </disk>
        <disk type='file' device='cdrom'><source file='${base}.iso'/><target dev='hdd' bus='ide'/></disk>`,
    })
    await connection.create(guest)
    expect(await until({ id: DomainEventId.DISK_CHANGE })).toMatchObject({
      oldSourcePath: `${host.directory}/missing.iso`,
      newSourcePath: undefined,
      deviceAlias: 'ide0-1-0',
      reason: 0,
    })

    await host.virsh('desc', guest.name, '--title', 'A title')
    expect(await until({ id: DomainEventId.METADATA_CHANGE })).toMatchObject({ type: 1, namespaceUri: undefined })

    await host.virsh('blkdeviotune', guest.name, 'vda', '--total-iops-sec', '1000')
    expect(await until({ id: DomainEventId.TUNABLE })).toMatchObject({
      parameters: new Map<string, unknown>([
        ['blkdeviotune.disk', 'vda'],
        ['blkdeviotune.total_iops_sec', 1000n],
      ]),
    })

    const tablet = join(host.directory, 'tablet.xml')
    await writeFile(tablet, "<input type='tablet' bus='usb'><alias name='ua-tablet'/></input>")
    await host.virsh('attach-device', guest.name, tablet)
    await until({ id: DomainEventId.DEVICE_ADDED, deviceAlias: 'ua-tablet' })
    await host.virsh('detach-device-alias', guest.name, 'ua-tablet')
    await until({ id: DomainEventId.DEVICE_REMOVED, deviceAlias: 'ua-tablet' })

    await host.virsh('change-media', guest.name, 'hdd', '--eject')
    await until({ id: DomainEventId.TRAY_CHANGE, deviceAlias: 'ide0-1-1', reason: 0 })

    await host.virsh('blockpull', guest.name, 'vda')
    await until({ id: DomainEventId.BLOCK_JOB, disk, type: 1, status: 0 })
    await until({ id: DomainEventId.BLOCK_JOB_2, disk: 'vda', type: 1, status: 0 })

    await host.virsh('managedsave', guest.name)
    await until({ id: DomainEventId.MIGRATION_ITERATION })
    const completed = await until({ id: DomainEventId.JOB_COMPLETED })
    expect(completed).toMatchObject({ domain: { uuid: guest.uuid }, parameters: expect.any(Map) })
    expect(inVirshWords(await until({ id: DomainEventId.LIFECYCLE, event: 5 }))).toBe('lifecycle: Stopped Saved')
  })

  test('the clock that a guest sets', async () => {
    const connection = await lab.connect()
    const { until } = await record(connection, [DomainEventId.RTC_CHANGE])
    await connection.create(await guestThatWill('set-clock'))
    expect(await until({ id: DomainEventId.RTC_CHANGE })).toMatchObject({ offsetS: expect.any(Number) })
  })

  test('a block that a guest writes beyond a threshold', async () => {
    const connection = await lab.connect()
    const { until } = await record(connection, [DomainEventId.BLOCK_THRESHOLD])
    const guest = await guestThatWill('write-disk')
    await connection.create(guest, { flags: DomainStartFlag.PAUSED })
    await lab.host.virsh('domblkthreshold', guest.name, 'hda', '1')
    await connection.resume(guest)
    expect(await until({ id: DomainEventId.BLOCK_THRESHOLD })).toMatchObject({
      device: 'hda',
      path: join(lab.host.directory, 'write-disk.img'),
      thresholdBytes: 1n,
      excessBytes: 1023n,
    })
  })

  test('somebody who looks at the screen', async () => {
    const screen = join(lab.host.directory, 'vnc.sock')
    const connection = await lab.connect()
    const { until } = await record(connection, [DomainEventId.GRAPHICS])
    await connection.create(await lab.defineGuest({ devices: `<graphics type='vnc' socket='${screen}'/>` }))
    const viewer = createConnection(screen)
    onTestFinished(() => {
      viewer.destroy()
    })
    viewer.once('data', () => viewer.write('RFB 003.003\n'))
    expect(await until({ id: DomainEventId.GRAPHICS, phase: 0 })).toMatchObject({
      local: { family: 2, service: screen },
      remote: { family: 2 },
      subject: [],
    })
  })
})

async function createOverlay(context: { skip: (note: string) => never }, base: string, disk: string): Promise<void> {
  try {
    await promisify(execFile)('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', disk])
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error
    const note = 'qemu-img not found: apt-get install qemu-utils'
    if (process.env['MAINSTAY_TEST_ALL'] === '1') throw new Error(note, { cause: error })
    context.skip(note)
  }
}

describe('who hears what', () => {
  test('every kind of event can be registered for, and left again', async () => {
    const connection = await lab.connect()
    const ids = Object.values(DomainEventId)
    const subscriptions = []
    for (const id of ids) subscriptions.push(await connection.subscribe(id, {}, () => undefined))
    for (const subscription of subscriptions) await subscription.unsubscribe()
    for (const id of ids) await connection.subscribe(id, {}, () => undefined)
    expect(subscriptions).toHaveLength(27)
  })

  test('a subscription for one guest does not hear of another', async () => {
    const connection = await lab.connect()
    const [mine, other] = [await lab.defineGuest({ name: 'mine' }), await lab.defineGuest({ name: 'other' })]
    const heard: string[] = []
    await connection.subscribe(DomainEventId.LIFECYCLE, { domain: mine }, ({ domain }) => heard.push(domain.name))
    await connection.subscribe(DomainEventId.LIFECYCLE, {}, ({ domain }) => heard.push(`all: ${domain.name}`))
    await connection.create(other)
    await connection.create(mine)
    await expect.poll(() => heard.filter((name) => name === 'all: mine').length, patience).toBe(2)
    expect(heard.filter((name) => !name.startsWith('all'))).toEqual(['mine', 'mine'])
    expect(heard.filter((name) => name === 'all: other')).toHaveLength(2)
  })

  test('a listener that has left hears nothing more, the others do', async () => {
    const connection = await lab.connect()
    const guest = await lab.defineGuest()
    const heard: string[] = []
    const first = await connection.subscribe(DomainEventId.LIFECYCLE, {}, () => heard.push('first'))
    await connection.subscribe(DomainEventId.LIFECYCLE, {}, () => heard.push('second'))
    await first.unsubscribe()
    await connection.create(guest)
    await expect.poll(() => heard, patience).toEqual(['second', 'second'])
  })

  test('events come as a stream, too', async () => {
    const connection = await lab.connect()
    const guest = await lab.defineGuest()
    const stream = await connection.events(DomainEventId.LIFECYCLE, { domain: guest })
    await connection.create(guest)
    await connection.destroy(guest)
    const words: string[] = []
    for await (const event of stream) {
      words.push(inVirshWords(event))
      if (event.event === 5) break
    }
    expect(words).toEqual([
      'lifecycle: Resumed Unpaused',
      'lifecycle: Started Booted',
      'lifecycle: Shutdown Finished after host request',
      'lifecycle: Stopped Destroyed',
    ])
  })

  test('a stream ends with its signal', async () => {
    const connection = await lab.connect()
    const stop = new AbortController()
    const stream = await connection.events(DomainEventId.REBOOT, { signal: stop.signal })
    const next = stream.next()
    stop.abort()
    expect(await next).toEqual({ done: true, value: undefined })
  })
})
