import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { Cluster } from '@mainstay/testkit'
import { agentSpec, serveSpec } from 'mainstay/testkit'
import { describe, expect, test } from 'vitest'

const FLEET = { compute: { simulated_hosts: 3, simulated_guests: 3 } }

/** Where a libvirtd would listen if there were one. */
function deserted(cluster: Cluster): string {
  return join(cluster.dir, 'no-libvirtd.sock')
}

describe('mainstay agent beside mainstay serve', () => {
  test('IM-3 it comes up and stays healthy while libvirtd is away, and is not ready', async () => {
    await using cluster = await Cluster.create({ servers: [serveSpec({ config: FLEET })] })
    const libvirtSocket = deserted(cluster)
    cluster.add(agentSpec({ endpoint: { server: 'mainstay' }, libvirtSocket, hostname: 'host-001' }))
    await cluster.startAll()
    expect(cluster.started.map(({ name }) => name)).toEqual(['mainstay', 'agent'])
    const agent = cluster.get('agent')
    expect(existsSync(libvirtSocket)).toBe(false)
    expect((await fetch(`${agent.url}/healthz`)).status).toBe(200)
    expect((await fetch(`${agent.url}/readyz`)).status).toBe(503)
    expect(agent.state).toBe('ready')
    expect(await agent.stop()).toMatchObject({ code: 0, escalated: false })
  })

  test('a killed agent starts again on the same spool and port', async () => {
    await using cluster = await Cluster.create()
    cluster.add(agentSpec({ endpoint: 'http://127.0.0.1:9', libvirtSocket: deserted(cluster), hostname: 'host-001' }))
    await cluster.startAll()
    const agent = cluster.get('agent')
    const { port } = agent
    await agent.kill()
    await agent.start()
    expect(agent.port).toBe(port)
    expect((await fetch(`${agent.url}/healthz`)).status).toBe(200)
  })
})
