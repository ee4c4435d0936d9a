import { describe, expect, test } from 'vitest'
import {
  connectLibvirt,
  describeDomainState,
  DomainAffect,
  DomainListFlag,
  DomainMetadataType,
  DomainStartFlag,
  DomainState,
  DomainStatsGroup,
  DomainUndefineFlag,
  DomainXmlFlag,
  LibvirtArgumentError,
  LibvirtError,
  LibvirtErrorCode,
} from '@mainstay/libvirt-rpc'
import type { Domain, LibvirtConnection } from '@mainstay/libvirt-rpc'
import { useLibvirtLab } from './lab/libvirt-lab.ts'
import { tinyDomainXml } from './lab/tiny-domain.ts'

const lab = useLibvirtLab()
const patience = { timeout: 20_000 }

/** What virsh prints for a command that must succeed. */
async function virsh(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await lab.host.virsh(...args)
  expect(stderr).toBe('')
  expect(exitCode).toBe(0)
  return stdout.trimEnd()
}

/** The lines "key: value" that many virsh commands print. */
async function virshFields(...args: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const lines = (await virsh(...args)).split('\n')
  return new Map(lines.map((line) => [line.split(':')[0]!.trim(), line.slice(line.indexOf(':') + 1).trim()]))
}

/** The state in virsh's words, after both have been asked. */
async function expectSameState(connection: LibvirtConnection, domain: Domain): Promise<string> {
  const ours = describeDomainState(await connection.getState(domain))
  expect(ours).toBe(await virsh('domstate', '--reason', domain.name))
  return ours
}

describe('the host, as virsh sees it', () => {
  test('name, versions, URI, capabilities', async () => {
    const connection = await lab.connect()
    expect(await connection.getHostname()).toBe(await virsh('hostname'))
    expect(await connection.getHostname()).toBe('lab-host')
    expect(await connection.getUri()).toBe('qemu:///system')
    expect((await connection.getCapabilities()).trimEnd()).toBe(await virsh('capabilities'))
    const versions = await virsh('version', '--daemon')
    expect(versions).toContain(`Running against daemon: ${dotted(await connection.getLibVersion())}`)
    expect(versions).toContain(`Running hypervisor: QEMU ${dotted(await connection.getVersion())}`)
  })

  test('processors and memory', async () => {
    const connection = await lab.connect()
    const node = await connection.getNodeInfo()
    const fields = await virshFields('nodeinfo')
    expect(Object.fromEntries(fields)).toMatchObject({
      'CPU model': node.model,
      'CPU(s)': String(node.cpus),
      'CPU socket(s)': String(node.socketsPerNode),
      'Core(s) per socket': String(node.coresPerSocket),
      'Thread(s) per core': String(node.threadsPerCore),
      'NUMA cell(s)': String(node.numaNodes),
      'Memory size': `${node.memoryKiB} KiB`,
    })
    const free = await connection.getFreeMemoryBytes()
    expect(free).toBeGreaterThan(0n)
    expect(free).toBeLessThan(BigInt(node.memoryKiB) * 1024n)
  })

  test('what its processors have done since it booted, which only grows', async () => {
    const connection = await lab.connect()
    const before = await connection.getNodeCpuStats()
    const fields = await virshFields('nodecpustats')
    const after = await connection.getNodeCpuStats()
    expect([...before.keys()].toSorted()).toEqual(['idle', 'iowait', 'kernel', 'user'])
    for (const name of ['idle', 'kernel', 'user']) {
      const shown = BigInt(fields.get(name === 'kernel' ? 'system' : name)!)
      expect(before.get(name)).toBeLessThanOrEqual(shown)
      expect(after.get(name)).toBeGreaterThanOrEqual(shown)
    }
  })
})

/** 7002022 is 7.2.22. */
const dotted = (version: number): string =>
  [Math.floor(version / 1_000_000), Math.floor(version / 1_000) % 1_000, version % 1_000].join('.')

describe('domains, as virsh sees them', () => {
  test('lists all, the running and the stopped ones', async () => {
    const connection = await lab.connect()
    const [running] = await Promise.all([
      lab.defineGuest({ name: 'a' }),
      lab.defineGuest({ name: 'b' }),
      lab.defineGuest({ name: 'c' }),
    ])
    await connection.create(running)
    for (const [flags, option] of [
      [0, '--all'],
      [DomainListFlag.ACTIVE, '--state-running'],
      [DomainListFlag.INACTIVE, '--inactive'],
      [DomainListFlag.TRANSIENT, '--transient'],
    ] as const) {
      const ours = await connection.listAllDomains({ flags })
      const theirs = (await virsh('list', option, '--name', '--uuid')).split('\n').map((line) => line.trim())
      expect(ours.map(({ uuid, name }) => `${uuid} ${name}`).toSorted()).toEqual(
        theirs
          .filter((line) => line !== '')
          .map((line) => line.replace(/\s+/, ' '))
          .toSorted(),
      )
    }
    expect(await connection.listAllDomains()).toHaveLength(3)
  })

  test('finds one by name and by UUID, in either case', async () => {
    const connection = await lab.connect()
    const domain = await lab.defineGuest({ uuid: 'aaaabbbb-2222-3333-4444-555555555555' })
    expect(await connection.lookupByName(domain.name)).toEqual(domain)
    expect(await connection.lookupByUuid(domain.uuid)).toEqual(domain)
    expect(await connection.lookupByUuid(domain.uuid.toUpperCase())).toEqual(domain)
  })

  test('goes through its states', async () => {
    const connection = await lab.connect()
    const domain = await lab.defineGuest()
    expect(await expectSameState(connection, domain)).toBe('shut off (unknown)')
    expect(domain.id).toBe(-1)
    const started = await connection.create(domain)
    expect(started.id).toBeGreaterThan(0)
    expect(await expectSameState(connection, domain)).toBe('running (booted)')
    await connection.suspend(domain)
    expect(await expectSameState(connection, domain)).toBe('paused (user)')
    await connection.resume(domain)
    expect(await expectSameState(connection, domain)).toBe('running (unpaused)')
    await connection.reset(domain)
    expect(await expectSameState(connection, domain)).toBe('running (unpaused)')
    await connection.reboot(domain)
    await connection.shutdown(domain)
    expect(await expectSameState(connection, domain)).toBe('running (unpaused)')
    await connection.destroy(domain)
    expect(await expectSameState(connection, domain)).toBe('shut off (destroyed)')
    await connection.create(domain)
    await lab.host.killQemu(domain.name)
    await expect.poll(() => expectSameState(connection, domain), patience).toBe('shut off (crashed)')
  })

  test('starts paused when asked', async () => {
    const connection = await lab.connect()
    const domain = await lab.defineGuest()
    await connection.create(domain, { flags: DomainStartFlag.PAUSED })
    expect(await expectSameState(connection, domain)).toBe('paused (user)')
  })

  test('its memory, processors and time', async () => {
    const connection = await lab.connect()
    const domain = await lab.defineGuest({ memoryMiB: 48 })
    await connection.create(domain)
    const info = await connection.getInfo(domain)
    const fields = await virshFields('dominfo', domain.name)
    expect(Object.fromEntries(fields)).toMatchObject({
      'Max memory': `${info.maxMemoryKiB} KiB`,
      'Used memory': `${info.memoryKiB} KiB`,
      'CPU(s)': String(info.vcpus),
    })
    expect(info).toMatchObject({ state: DomainState.RUNNING, maxMemoryKiB: 48 * 1024, vcpus: 1 })
    expect(info.cpuTimeNs).toBeGreaterThan(0n)
  })

  test('its XML, live and as defined', async () => {
    const connection = await lab.connect()
    const domain = await lab.defineGuest()
    await connection.create(domain)
    expect((await connection.getXml(domain)).trimEnd()).toBe(await virsh('dumpxml', domain.name))
    expect((await connection.getXml(domain, { flags: DomainXmlFlag.INACTIVE })).trimEnd()).toBe(
      await virsh('dumpxml', '--inactive', domain.name),
    )
  })

  test('starting with the host', async () => {
    const connection = await lab.connect()
    const domain = await lab.defineGuest()
    for (const [autostart, word] of [
      [true, 'enable'],
      [false, 'disable'],
    ] as const) {
      await connection.setAutostart(domain, autostart)
      expect(await connection.getAutostart(domain)).toBe(autostart)
      expect((await virshFields('dominfo', domain.name)).get('Autostart')).toBe(word)
    }
  })

  test('title, description and metadata', async () => {
    const connection = await lab.connect()
    const domain = await lab.defineGuest()
    const flags = DomainAffect.CONFIG
    const uri = 'urn:example:pool'
    await connection.setMetadata(domain, { type: DomainMetadataType.TITLE, value: 'A guest ä', flags })
    await connection.setMetadata(domain, { type: DomainMetadataType.DESCRIPTION, value: 'Two\nlines', flags })
    await connection.setMetadata(domain, {
      type: DomainMetadataType.ELEMENT,
      value: '<vm pool="x"/>',
      key: 'p',
      uri,
      flags,
    })
    expect(await virsh('desc', '--config', '--title', domain.name)).toBe('A guest ä')
    expect(await virsh('desc', '--config', domain.name)).toBe('Two\nlines')
    expect(await virsh('metadata', '--config', domain.name, uri)).toBe('<vm pool="x"/>')
    expect(await connection.getMetadata(domain, { type: DomainMetadataType.TITLE, flags })).toBe('A guest ä')
    expect((await connection.getMetadata(domain, { type: DomainMetadataType.ELEMENT, uri, flags })).trim()).toBe(
      '<vm pool="x"/>',
    )
    await connection.setMetadata(domain, { type: DomainMetadataType.ELEMENT, value: undefined, uri, flags })
    await expect(
      connection.getMetadata(domain, { type: DomainMetadataType.ELEMENT, uri, flags }),
    ).rejects.toMatchObject({ code: LibvirtErrorCode.NO_DOMAIN_METADATA })
  })

  test('a transient guest is gone when it stops', async () => {
    const connection = await lab.connect()
    const domain = await connection.createXml(tinyDomainXml({ name: 'transient' }))
    expect(await connection.isPersistent(domain)).toBe(false)
    expect((await virshFields('dominfo', domain.name)).get('Persistent')).toBe('no')
    await connection.destroy(domain)
    await expect(connection.getState(domain)).rejects.toMatchObject({ code: LibvirtErrorCode.NO_DOMAIN })
  })

  test('a running guest whose definition is removed runs on as a transient one', async () => {
    const connection = await lab.connect()
    const domain = await lab.defineGuest()
    await connection.create(domain)
    expect(await connection.isPersistent(domain)).toBe(true)
    await connection.undefine(domain, { flags: DomainUndefineFlag.MANAGED_SAVE })
    expect(await connection.isPersistent(domain)).toBe(false)
    expect(await connection.getState(domain)).toMatchObject({ state: DomainState.RUNNING })
  })

  test('the figures of all guests in one call', async () => {
    const connection = await lab.connect()
    const domains = [await lab.defineGuest({ name: 'a' }), await lab.defineGuest({ name: 'b' })]
    await connection.create(domains[0]!)
    const all = await connection.getAllDomainStats({ groups: DomainStatsGroup.STATE | DomainStatsGroup.BALLOON })
    expect(all.map(({ domain }) => domain.name).toSorted()).toEqual(['a', 'b'])
    const [one] = await connection.getAllDomainStats({ domains: [domains[0]!] })
    expect(one?.stats.get('state.state')).toBe(DomainState.RUNNING)
    const theirs = await virsh('domstats', '--state', '--balloon', 'a')
    for (const name of ['state.state', 'state.reason', 'balloon.maximum']) {
      expect(theirs).toContain(`${name}=${one?.stats.get(name)}`)
    }
  })

  test('QMP, straight to its QEMU', async () => {
    const connection = await lab.connect()
    const domain = await lab.defineGuest()
    await connection.create(domain)
    const answer: unknown = JSON.parse(await connection.monitorCommand(domain, '{"execute":"query-status"}'))
    expect(answer).toMatchObject({ return: { status: 'running' } })
  })
})

async function refusalOf(call: Promise<unknown>): Promise<LibvirtError> {
  const outcome = await call.catch((error: unknown) => error)
  if (outcome instanceof LibvirtError) return outcome
  throw new Error('libvirt did not refuse.', { cause: outcome })
}

describe('refusals, in virsh words and with libvirt numbers', () => {
  const nobody = { name: 'nobody', uuid: '00000000-1111-2222-3333-444444444444' }

  test.for<[string, number, readonly string[], (connection: LibvirtConnection, guest: Domain) => Promise<unknown>]>([
    ['destroying what does not run', LibvirtErrorCode.OPERATION_INVALID, ['destroy', 'g'], (c, g) => c.destroy(g)],
    ['resuming what does not run', LibvirtErrorCode.OPERATION_INVALID, ['resume', 'g'], (c, g) => c.resume(g)],
    ['resetting what does not run', LibvirtErrorCode.OPERATION_INVALID, ['reset', 'g'], (c, g) => c.reset(g)],
    ['shutting down what does not run', LibvirtErrorCode.OPERATION_INVALID, ['shutdown', 'g'], (c, g) => c.shutdown(g)],
  ])('%s: error %i, in the words of virsh', async ([_what, code, virshArgs, call]) => {
    const guest = await lab.defineGuest({ name: 'g' })
    const refusal = await refusalOf(call(await lab.connect(), guest))
    expect(refusal).toMatchObject({ code, level: 2 })
    const { exitCode, stderr } = await lab.host.virsh(...virshArgs)
    expect(exitCode).toBe(1)
    expect(stderr).toContain(refusal.serverMessage)
  })

  test.for<[string, number, (connection: LibvirtConnection, guest: Domain) => Promise<unknown>]>([
    ['an unknown name', LibvirtErrorCode.NO_DOMAIN, (c) => c.lookupByName('nobody')],
    ['an unknown UUID', LibvirtErrorCode.NO_DOMAIN, (c) => c.lookupByUuid(nobody.uuid)],
    ['a guest that is gone', LibvirtErrorCode.NO_DOMAIN, (c) => c.getXml(nobody)],
    ['XML that is none', LibvirtErrorCode.XML_DETAIL, (c) => c.defineXml('<domain>')],
    ['XML of another kind', LibvirtErrorCode.XML_ERROR, (c) => c.defineXml('<network/>')],
    [
      'a second guest with its UUID',
      LibvirtErrorCode.OPERATION_FAILED,
      (c, g) => c.defineXml(tinyDomainXml({ name: 'other', uuid: g.uuid })),
    ],
    ['flags that nobody knows', LibvirtErrorCode.INVALID_ARG, (c, g) => c.create(g, { flags: 0x4000_0000 })],
  ])('%s: error %i', async ([_what, code, call]) => {
    const guest = await lab.defineGuest({ name: 'g' })
    expect(await refusalOf(call(await lab.connect(), guest))).toMatchObject({ code, level: 2 })
  })

  test('starting what runs already', async () => {
    const connection = await lab.connect()
    const guest = await lab.defineGuest()
    await connection.create(guest)
    await expect(connection.create(guest)).rejects.toMatchObject({ code: LibvirtErrorCode.OPERATION_INVALID })
  })

  test('an agent that nobody has started does not answer', async () => {
    const connection = await lab.connect()
    const guest = await lab.defineGuest()
    await connection.create(guest)
    await expect(
      connection.agentCommand(guest, '{"execute":"guest-ping"}', { agentTimeoutS: 1 }),
    ).rejects.toMatchObject({ code: LibvirtErrorCode.AGENT_UNRESPONSIVE })
  })

  test.for(['socketPath', 'readOnlySocketPath'] as const)(
    'a read-only connection over %s looks and does not touch',
    async (socket) => {
      const connection = await lab.connect()
      const guest = await lab.defineGuest()
      await connection.create(guest)
      const readOnly = await lab.connect({ socketPath: lab.host[socket], readOnly: true })
      expect(await readOnly.listAllDomains()).toHaveLength(1)
      expect(await readOnly.getState(guest)).toMatchObject({ state: DomainState.RUNNING })
      const denied = { code: LibvirtErrorCode.OPERATION_DENIED }
      await expect(readOnly.destroy(guest)).rejects.toMatchObject(denied)
      await expect(readOnly.agentCommand(guest, '{"execute":"guest-ping"}')).rejects.toMatchObject(denied)
      expect(await connection.getState(guest)).toMatchObject({ state: DomainState.RUNNING })
    },
  )

  test('the read-only socket stays read-only, whatever is asked for', async () => {
    const guest = await lab.defineGuest()
    const connection = await lab.connect({ socketPath: lab.host.readOnlySocketPath })
    await expect(connection.create(guest)).rejects.toMatchObject({ code: LibvirtErrorCode.OPERATION_DENIED })
  })

  test('a driver that the server does not have', async () => {
    await expect(connectLibvirt({ socketPath: lab.host.socketPath, uri: 'xen:///system' })).rejects.toMatchObject({
      name: 'LibvirtConnectError',
      cause: { name: 'LibvirtError' },
    })
  })
})

describe('size and speed', () => {
  test('a definition of three megabytes comes back whole', async () => {
    const connection = await lab.connect()
    const guest = await lab.defineGuest()
    const value = 'ä€𝄞x'.repeat(300_000)
    await connection.setMetadata(guest, { type: DomainMetadataType.DESCRIPTION, value, flags: DomainAffect.CONFIG })
    expect(await connection.getXml(guest)).toContain(`<description>${value}</description>`)
  })

  test('what libvirt cannot carry is refused here, and the connection stays', async () => {
    const connection = await lab.connect()
    const guest = await lab.defineGuest()
    await expect(connection.defineXml('x'.repeat(4 * 1024 * 1024 + 1))).rejects.toThrow(LibvirtArgumentError)
    await expect(connection.lookupByUuid('no UUID')).rejects.toThrow(LibvirtArgumentError)
    expect(await connection.getState(guest)).toMatchObject({ state: DomainState.SHUTOFF })
  })

  test('two thousand calls at once over one connection, each with its own answer', async () => {
    const connection = await lab.connect()
    const guests = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => lab.defineGuest({ name })))
    const asked = Array.from({ length: 2_000 }, (_, index) => guests[index % guests.length]!)
    const found = await Promise.all(asked.map(({ name }) => connection.lookupByName(name)))
    expect(found).toEqual(asked)
  })
})
