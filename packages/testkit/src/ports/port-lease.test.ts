import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { homeDir, removeQuietly } from '../home.ts'
import { rejection } from '../testing/fixture-server.ts'
import { leasePort } from './port-lease.ts'

describe('leases of ports (testkit.md A4)', () => {
  const home = join(homeDir('own-tests'), `leases-${process.pid}`)
  const locks = (): string[] => readdirSync(join(home, 'ports'))
  afterEach(() => {
    vi.unstubAllEnvs()
    removeQuietly(home)
  })

  test('a port of an address that this machine does not have is refused and not kept', async () => {
    vi.stubEnv('MAINSTAY_TESTKIT_DIR', home)
    // An address for documentation, which no machine has. Source: RFC 5737.
    expect(await rejection(leasePort({ host: '192.0.2.1' }))).toMatchObject({ code: 'EADDRNOTAVAIL' })
    expect(locks()).toEqual([])
    const lease = await leasePort()
    expect(locks()).toEqual([`${lease.port}.lock`])
    lease.release()
    expect(locks()).toEqual([])
  })
})
