import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  connectLibvirt,
  describeDomainState,
  DomainEventId,
  LibvirtConnectError,
  LibvirtDisconnectedError,
  LibvirtErrorCode,
  LibvirtSession,
} from '@mainstay/libvirt-rpc'
import type { LibvirtConnection, LibvirtSessionOptions } from '@mainstay/libvirt-rpc'
import { useLibvirtLab } from './lab/libvirt-lab.ts'
import { PrivateLibvirtd } from './lab/private-libvirtd.ts'
import { tinyDomainXml } from './lab/tiny-domain.ts'

const lab = useLibvirtLab()
const patience = { timeout: 20_000 }

/** A host of the test's own, for a test that breaks it. */
async function ownHost(options: Parameters<typeof PrivateLibvirtd.start>[0] = {}): Promise<PrivateLibvirtd> {
  const host = await PrivateLibvirtd.start(options)
  onTestFinished(() => host[Symbol.asyncDispose]())
  return host
}

async function connectTo(
  host: PrivateLibvirtd,
  options: Omit<Parameters<typeof connectLibvirt>[0], 'socketPath'> = {},
): Promise<LibvirtConnection> {
  const connection = await connectLibvirt({ socketPath: host.socketPath, ...options })
  onTestFinished(() => connection.close())
  return connection
}

describe('a server that goes away', () => {
  test('every call under way is rejected when libvirtd is killed, and later calls at once', async () => {
    const host = await ownHost()
    const connection = await connectTo(host)
    await host.freezeDaemon()
    const outcomes = Promise.allSettled(Array.from({ length: 100 }, () => connection.getHostname()))
    await host.stopDaemon('SIGKILL')
    const errors = (await outcomes).map((outcome) => outcome.status === 'rejected' && outcome.reason)
    expect(errors.filter((error) => error instanceof LibvirtDisconnectedError)).toHaveLength(100)
    // Four were at the server, which may have acted; the others never left.
    expect(errors.filter(({ sent }) => sent === true)).toHaveLength(4)
    expect(await connection.closed).toMatchObject({ kind: 'server-closed' })
    await expect(connection.getHostname()).rejects.toThrow(LibvirtDisconnectedError)
  })

  test('a hung libvirtd: a call times out, and says whether it was sent', async () => {
    const host = await ownHost()
    const connection = await connectTo(host, { maxCallsInFlight: 1, keepaliveIntervalMs: 0 })
    await host.freezeDaemon()
    const [sent, waiting] = await Promise.allSettled([
      connection.getHostname({ timeoutMs: 100 }),
      connection.getHostname({ timeoutMs: 100 }),
    ])
    expect(sent).toMatchObject({ reason: { name: 'LibvirtTimeoutError', sent: true, timeoutMs: 100 } })
    expect(waiting).toMatchObject({ reason: { name: 'LibvirtTimeoutError', sent: false } })
    await host.thawDaemon()
    expect(await connection.getHostname()).toBe(host.hostname)
  })

  test('a caller may give up on a call; the connection goes on', async () => {
    const host = await ownHost()
    const connection = await connectTo(host)
    await host.freezeDaemon()
    const giveUp = new AbortController()
    const call = connection.getHostname({ signal: giveUp.signal })
    giveUp.abort(new Error('no longer needed'))
    await expect(call).rejects.toThrow('no longer needed')
    await host.thawDaemon()
    expect(await connection.getHostname()).toBe(host.hostname)
  })

  test('a hung libvirtd: keep-alive ends the connection (IM-2)', async () => {
    const host = await ownHost()
    const connection = await connectTo(host, { keepaliveIntervalMs: 100, keepaliveMisses: 2 })
    await host.freezeDaemon()
    const call = connection.getHostname()
    await expect(call).rejects.toThrow('left 2 keep-alive pings unanswered')
    expect(await connection.closed).toMatchObject({ kind: 'keepalive' })
  })

  test('keep-alive holds a silent connection: libvirtd answers our pings and we answer its', async () => {
    const host = await ownHost({ daemonConfig: { keepalive_interval: 1, keepalive_count: 1 } })
    const connection = await connectTo(host, { keepaliveIntervalMs: 500, keepaliveMisses: 2 })
    const silent = await connectTo(host, { keepaliveIntervalMs: 0 })
    // libvirtd gives a client up two seconds after its last word; ours gives libvirtd up after 1.5 s.
    const ended = await Promise.race([connection.closed, silent.closed, stillOpenAfter(3_500)])
    expect(ended).toBe('still open')
    expect(await connection.getHostname()).toBe(host.hostname)
    expect(await silent.getHostname()).toBe(host.hostname)
  })

  test.for([0, -1, 1.5, Number.NaN])('a window of %d calls is refused', async (maxCallsInFlight) => {
    const connecting = connectLibvirt({ socketPath: lab.host.socketPath, maxCallsInFlight })
    await expect(connecting).rejects.toThrow('maxCallsInFlight')
  })

  test('nobody listens: the error says what to do', async () => {
    const host = await ownHost()
    await host.stopDaemon('SIGKILL')
    const refused = connectLibvirt({ socketPath: host.socketPath })
    await expect(refused).rejects.toThrow(/nothing listens on it. Start libvirtd/)
    await expect(refused).rejects.toMatchObject({ code: 'LIBVIRT_CONNECT', cause: { code: 'ECONNREFUSED' } })
    await expect(connectLibvirt({ socketPath: `${host.directory}/none` })).rejects.toThrow(/no such socket/)
  })

  test('a hung libvirtd does not hold up who connects', async () => {
    const host = await ownHost()
    await host.freezeDaemon()
    const socketPath = host.socketPath
    await expect(connectLibvirt({ socketPath, connectTimeoutMs: 100 })).rejects.toThrow(LibvirtConnectError)
    const signal = AbortSignal.timeout(100)
    await expect(connectLibvirt({ socketPath, signal })).rejects.toThrow('timeout')
  })

  test('a server that wants a password is refused with the remedy (IM-1)', async () => {
    const host = await ownHost({ daemonConfig: { auth_unix_ro: 'sasl' } })
    await expect(connectLibvirt({ socketPath: host.readOnlySocketPath, readOnly: true })).rejects.toMatchObject({
      message: expect.stringContaining('Set auth_unix_rw to "none" or "polkit"'),
      cause: { code: LibvirtErrorCode.AUTH_UNAVAILABLE },
    })
  })

  test('a server that asks polkit is asked to do so; where it cannot, the error tells', async () => {
    const host = await ownHost({ daemonConfig: { auth_unix_rw: 'polkit' } })
    expect(await (await connectTo(host)).getHostname()).toBe(host.hostname) // root needs no permission
    await chmod(host.directory, 0o711)
    const connecting = asNobody(() => connectLibvirt({ socketPath: host.socketPath }))
    await expect(connecting).rejects.toMatchObject({
      name: 'LibvirtConnectError',
      cause: { call: 'authentication by polkit', serverMessage: expect.stringContaining('system bus') },
    })
  })

  test('closing twice is closing once', async () => {
    const connection = await lab.connect()
    await Promise.all([connection.close(), connection.close()])
    expect(await connection.closed).toMatchObject({ kind: 'closed' })
  })
})

/** The socket remembers who connected; that happens before the call returns its promise. */
function asNobody<Result>(connect: () => Promise<Result>): Promise<Result> {
  process.seteuid!(65_534)
  try {
    return connect()
  } finally {
    process.seteuid!(0)
  }
}

/** Resolves after a while: a bound, where the thing to see is that nothing happens. */
function stillOpenAfter(ms: number): Promise<'still open'> {
  return once(AbortSignal.timeout(ms), 'abort').then(() => 'still open')
}

describe('a client that asks more than libvirtd takes at once', () => {
  test('stays alive within its window, however small libvirtd is', async () => {
    const host = await ownHost({ daemonConfig: { max_client_requests: 2 } })
    const connection = await connectTo(host, { maxCallsInFlight: 1, keepaliveIntervalMs: 500, keepaliveMisses: 2 })
    const names = await Promise.all(Array.from({ length: 1_000 }, () => connection.getHostname()))
    expect(new Set(names)).toEqual(new Set([host.hostname]))
  })
})

describe('a session (IM-3, IM-4)', () => {
  function sessionWith(host: PrivateLibvirtd, options: Partial<LibvirtSessionOptions> = {}): LibvirtSession {
    const session = new LibvirtSession({ socketPath: host.socketPath, minDelayMs: 50, maxDelayMs: 200, ...options })
    onTestFinished(() => session.close())
    return session
  }

  test('comes back after a restart of libvirtd, with its subscriptions, for comparing what was missed', async () => {
    const host = await ownHost()
    const session = sessionWith(host)
    const log: string[] = []
    session.on('connected', () => log.push('connected'))
    session.on('disconnected', ({ kind }) => log.push(`disconnected: ${kind}`))
    session.subscribe(DomainEventId.LIFECYCLE, {}, ({ domain, event, detail }) =>
      log.push(`${domain.name} ${event}/${detail}`),
    )
    const first = await session.start().connected()
    const guest = await first.defineXml(tinyDomainXml({ name: 'a' }))
    const started = await first.create(guest)
    expect(started.id).toBeGreaterThan(0)

    await host.stopDaemon()
    await first.closed
    await host.killQemu('a')
    const reconnected = once(session, 'connected')
    await host.startDaemon()
    await reconnected

    // Of the guest's death no event tells; its state does.
    const second = await session.connected()
    expect(second).not.toBe(first)
    expect(describeDomainState(await second.getState(guest))).toBe('shut off (crashed)')
    await second.create(guest)
    await expect
      .poll(() => log)
      .toEqual(['connected', 'a 0/0', 'a 4/0', 'a 2/0', 'disconnected: server-closed', 'connected', 'a 4/0', 'a 2/0'])
  })

  test('waits for a libvirtd that is not there yet', async () => {
    const host = await ownHost()
    await host.stopDaemon()
    const session = sessionWith(host)
    const failed = once(session, 'connect-failed')
    session.start()
    expect(session.connection).toBeUndefined()
    expect((await failed)[0]).toBeInstanceOf(LibvirtConnectError)
    const connected = session.connected()
    await host.startDaemon()
    expect(await (await connected).getHostname()).toBe(host.hostname)
    expect(session.connection).toBe(await session.connected())
  })

  test('survives a hung libvirtd, too', async () => {
    const host = await ownHost()
    const session = sessionWith(host, { keepaliveIntervalMs: 100, keepaliveMisses: 1, connectTimeoutMs: 300 })
    await session.start().connected()
    const disconnected = once(session, 'disconnected')
    await host.freezeDaemon()
    expect(await disconnected).toMatchObject([{ kind: 'keepalive' }])
    await host.thawDaemon()
    expect(await (await session.connected()).getHostname()).toBe(host.hostname)
  })

  test('a subscription that libvirtd does not answer makes the session connect anew, and then it counts', async () => {
    const host = await ownHost()
    const session = sessionWith(host, { callTimeoutMs: 300, connectTimeoutMs: 300, keepaliveIntervalMs: 0 })
    await session.start().connected()
    const disconnected = once(session, 'disconnected')
    const heard: string[] = []
    await host.freezeDaemon()
    session.subscribe(DomainEventId.LIFECYCLE, {}, ({ domain }) => heard.push(domain.name))
    expect(await disconnected).toMatchObject([{ kind: 'closed' }])
    await host.thawDaemon()
    await session.connected()
    const other = await connectTo(host)
    await defineAndForget(other)
    await expect.poll(() => heard, patience).toContain('forgotten')
  })

  test('a subscription that has been left does not come back', async () => {
    const session = sessionWith(lab.host)
    const heard: string[] = []
    const left = session.subscribe(DomainEventId.LIFECYCLE, {}, () => heard.push('left'))
    const connection = await session.start().connected()
    session.subscribe(DomainEventId.LIFECYCLE, {}, () => heard.push('late'))
    await expect.poll(() => defineAndForget(connection).then(() => heard.includes('late')), patience).toBe(true)
    expect(heard).toContain('left')
    left[Symbol.dispose]()
    heard.length = 0
    await expect.poll(() => defineAndForget(connection).then(() => heard.includes('late')), patience).toBe(true)
    expect(heard).not.toContain('left')
  })

  test('a subscription that the server refuses is told, and the session goes on', async () => {
    const session = sessionWith(lab.host)
    const refused = once(session, 'subscribe-failed')
    const ofTheFuture = JSON.parse('99') as DomainEventId
    session.subscribe(ofTheFuture, {}, () => undefined)
    const connection = await session.start().connected()
    expect(await refused).toMatchObject([{ name: 'LibvirtError', code: LibvirtErrorCode.INTERNAL_ERROR }, ofTheFuture])
    expect(await connection.getHostname()).toBe(lab.host.hostname)
  })

  test('closes while connected: one good-bye, no way back', async () => {
    const session = sessionWith(lab.host)
    const connection = await session.start().connected()
    const disconnected = once(session, 'disconnected')
    await session.close()
    expect(await disconnected).toMatchObject([{ kind: 'closed' }])
    expect(await connection.closed).toMatchObject({ kind: 'closed' })
    expect(session.start().connection).toBeUndefined()
  })
})

async function defineAndForget(connection: LibvirtConnection): Promise<void> {
  await connection.undefine(await connection.defineXml(tinyDomainXml({ name: 'forgotten' })))
}

describe('two hosts on one machine', () => {
  test('each has its name, its guests and its end', async () => {
    const [a, b] = await Promise.all([ownHost({ hostname: 'host-a' }), ownHost({ hostname: 'host-b' })])
    const [onA, onB] = await Promise.all([connectTo(a), connectTo(b)])
    expect([await onA.getHostname(), await onB.getHostname()]).toEqual(['host-a', 'host-b'])
    const xml = tinyDomainXml({ name: 'same-name', uuid: '11111111-2222-3333-4444-555555555555' })
    await onA.createXml(xml)
    await onB.create(await onB.defineXml(xml))
    expect(await onB.listAllDomains()).toHaveLength(1)

    await a.powerOff()
    expect(await onA.closed).toMatchObject({ kind: 'server-closed' })
    expect(await a.qemuPid('same-name')).toBeUndefined()
    expect(
      describeDomainState(await onB.getState({ name: 'same-name', uuid: '11111111-2222-3333-4444-555555555555' })),
    ).toBe('running (booted)')

    await a.powerOn()
    expect(await (await connectTo(a)).listAllDomains()).toEqual([])
    await b.powerOff()
    await b.powerOn()
    const again = await connectTo(b)
    const [survivor] = await again.listAllDomains()
    expect(survivor).toMatchObject({ name: 'same-name', id: -1 })
  })
})
