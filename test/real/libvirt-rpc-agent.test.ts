import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { TestContext } from 'vitest'
import {
  AddressFamily,
  AgentState,
  AgentStateReason,
  DomainEventId,
  InterfaceSource,
  LibvirtErrorCode,
} from '@mainstay/libvirt-rpc'
import type { Domain, DomainEvent, LibvirtConnection } from '@mainstay/libvirt-rpc'
import { agentGuestXml, requireAgentGuest, tellConsole } from './lab/agent-guest.ts'
import { useLibvirtLab } from './lab/libvirt-lab.ts'

const lab = useLibvirtLab()
const patience = { timeout: 60_000 }
const ping = '{"execute":"guest-ping"}'

interface AgentGuest {
  readonly guest: Domain
  readonly connection: LibvirtConnection
  readonly consolePath: string
  readonly events: readonly DomainEvent[]
}

/** Boots a guest and waits until its agent has connected. */
async function bootAgentGuest(context: TestContext): Promise<AgentGuest> {
  const image = await requireAgentGuest(context)
  const connection = await lab.connect()
  const events: DomainEvent[] = []
  for (const id of Object.values(DomainEventId)) {
    await connection.subscribe(id, {}, (event: DomainEvent) => events.push(event))
  }
  const consolePath = join(lab.host.directory, 'console.sock')
  const xml = agentGuestXml({ name: 'with-agent', uuid: randomUUID(), image, consolePath })
  const guest = await connection.createXml(xml)
  onTestFinished(async () => {
    await lab.host.virsh('destroy', guest.name)
  })
  await expect
    .poll(() => events, patience)
    .toContainEqual({
      id: DomainEventId.AGENT_LIFECYCLE,
      domain: guest,
      state: AgentState.CONNECTED,
      reason: AgentStateReason.CHANNEL,
    })
  return { guest, connection, consolePath, events }
}

describe('a guest with an agent (monitors.md 13.2)', () => {
  test('answers, falls silent, leaves and comes back', async (context) => {
    const { guest, connection, consolePath, events } = await bootAgentGuest(context)
    expect(JSON.parse((await connection.agentCommand(guest, ping, { agentTimeoutS: 5 })) ?? '')).toEqual({ return: {} })
    const unknown = connection.agentCommand(guest, '{"execute":"guest-no-such-thing"}')
    await expect(unknown).rejects.toMatchObject({ name: 'LibvirtError' })

    // It knows the guest's addresses; virsh prints what we read.
    await tellConsole(consolePath, 'ifconfig lo 127.0.0.1 netmask 255.0.0.0 up')
    const addresses = async (): Promise<unknown> => {
      const interfaces = await connection.interfaceAddresses(guest, { source: InterfaceSource.AGENT })
      return interfaces.find(({ name }) => name === 'lo')?.addresses
    }
    const loopback = { family: AddressFamily.IPV4, address: '127.0.0.1', prefix: 8 }
    await expect.poll(addresses, patience).toContainEqual(loopback)
    const { stdout } = await lab.host.virsh('domifaddr', guest.name, '--source', 'agent')
    expect(stdout).toMatch(/lo\s+00:00:00:00:00:00\s+ipv4\s+127\.0\.0\.1\/8/)

    // Hung: it is there, and does not answer.
    await lab.host.killQemu(guest.name, 'SIGSTOP')
    const unresponsive = { code: LibvirtErrorCode.AGENT_UNRESPONSIVE }
    await expect(connection.agentCommand(guest, ping, { agentTimeoutS: 1 })).rejects.toMatchObject(unresponsive)
    await lab.host.killQemu(guest.name, 'SIGCONT')

    // Gone: libvirt knows at once.
    await tellConsole(consolePath, 'kill -9 $(pidof qemu-ga)')
    const agentEvents = (): unknown[] => events.filter(({ id }) => id === DomainEventId.AGENT_LIFECYCLE)
    const left = { state: AgentState.DISCONNECTED, reason: AgentStateReason.CHANNEL }
    await expect.poll(agentEvents, patience).toContainEqual(expect.objectContaining(left))
    await expect(connection.agentCommand(guest, ping)).rejects.toMatchObject(unresponsive)

    const before = agentEvents().length
    await tellConsole(consolePath, 'agent &')
    await expect.poll(() => agentEvents().length, patience).toBeGreaterThan(before)
    await expect
      .poll(() => connection.agentCommand(guest, ping, { agentTimeoutS: 5 }).catch(() => 'not yet'), patience)
      .toBe('{"return":{}}')
  })

  test('gives memory back, sleeps and wakes up', async (context) => {
    const { guest, connection, events } = await bootAgentGuest(context)
    await lab.host.virsh('setmem', guest.name, '128M', '--live')
    const ballooned = { id: DomainEventId.BALLOON_CHANGE, domain: guest, actualKiB: 128 * 1024 }
    await expect.poll(() => events, patience).toContainEqual(ballooned)
    expect(await connection.getInfo(guest)).toMatchObject({ memoryKiB: 128 * 1024, maxMemoryKiB: 192 * 1024 })

    await lab.host.virsh('dompmsuspend', guest.name, 'mem')
    await expect.poll(() => events, patience).toContainEqual({ id: DomainEventId.PMSUSPEND, domain: guest, reason: 0 })
    await lab.host.virsh('dompmwakeup', guest.name)
    await expect.poll(() => events, patience).toContainEqual({ id: DomainEventId.PMWAKEUP, domain: guest, reason: 0 })
  })
})
