import { createServer } from 'node:net'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { holderOf, lookAtPort, type PortHolder, type PortSight } from './port-owner.ts'

const sight = { isOpen: true, owners: [], leader: 10, hasHiddenMember: false } satisfies PortSight
const owner = (pid: number, groupId = pid): PortSight['owners'][number] => ({ pid, groupId, command: 'x' })

describe('whose a port is (testkit.md A7)', () => {
  test.each<[string, Partial<PortSight>, PortHolder]>([
    ['nobody listens', { isOpen: false }, 'nobody'],
    ['the leader listens', { owners: [owner(10)] }, 'group'],
    ['the leader listens, who is of another group', { owners: [owner(10, 5)] }, 'group'],
    ['a member listens', { owners: [owner(11, 10)] }, 'group'],
    ['a member and a stranger listen', { owners: [owner(9), owner(11, 10)] }, 'group'],
    ['a stranger listens', { owners: [owner(9)], hasHiddenMember: true }, 'stranger'],
    ['an unseen process listens, all of the group are seen', {}, 'stranger'],
    ['an unseen process listens, one of the group is not seen', { hasHiddenMember: true }, 'group'],
    ['somebody listens, there is no group', { owners: [owner(9)], leader: undefined }, 'stranger'],
    ['an unseen process listens, there is no group', { leader: undefined }, 'stranger'],
  ])('H-40 %s', (_case, seen, holder) => {
    expect(holderOf({ ...sight, ...seen })).toBe(holder)
  })

  test('H-40 is seen in the kernel’s tables', async (ctx) => {
    ctx.skip(process.platform !== 'linux', 'owners are found in /proc')
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const seen = lookAtPort(port, process.pid)
    server.close()
    expect(seen).toMatchObject({ isOpen: true, owners: [{ pid: process.pid }] })
    expect(holderOf(seen)).toBe('group')
  })
})
