import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Cluster } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'

import { createClient, type MainstayClient, type PoolVm } from '../../packages/mainstay/src/client/index.ts'
import {
  MACHINE_NAMESPACE,
  MACHINE_PREFIX,
  writeMachineElement,
} from '../../packages/mainstay/src/pool/provider/libvirt/machine-element.ts'
import type { MachineTags } from '../../packages/mainstay/src/pool/provider/provider.ts'
import { PrivateLibvirtd } from './lab/private-libvirtd.ts'
import { requireLibvirt } from './lab/requirements.ts'
import { tinyDomainXml } from './lab/tiny-domain.ts'
import { waitUntil } from './lab/wait-until.ts'

const INSTALLATION = 'real-pool-test'
const PATIENCE_MS = 120_000
const MIN_READY = 2
const OLD_MS = 3_600_000

interface Lab {
  readonly libvirtd: PrivateLibvirtd
  readonly client: MainstayClient
}

/** A host with `mainstay serve --roles api,pool` beside it, whose guests are emulated (TCG). */
async function start(): Promise<Lab> {
  const libvirtd = await PrivateLibvirtd.start({ hostname: 'pool-host' })
  onTestFinished(async () => await libvirtd[Symbol.asyncDispose]())
  const folder = await mkdtemp(join(tmpdir(), 'mainstay-pool-real-'))
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }))
  const template = join(folder, 'template.xml')
  await writeFile(template, tinyDomainXml())
  const config = {
    log: { level: 'warn' },
    pool: {
      installation: INSTALLATION,
      cycle_ms: 1000,
      reconcile_period_ms: 1000,
      leak_grace_ms: 5000,
      leak_settle_ms: 500,
      providers: [
        {
          name: 'host',
          driver: 'libvirt',
          libvirt: {
            socket: libvirtd.socketPath,
            graceful_stop_ms: 0,
            poll_ms: 100,
            templates: [{ file: template, address: 'static', addresses: ['192.0.2.1-192.0.2.20'] }],
          },
        },
      ],
      groups: [
        {
          id: 'tiny',
          min_ready: MIN_READY,
          max_total: 4,
          check_period_ms: 1000,
          max_check_fails: 0,
          dirty_policy: 'discard',
          checks: [{ kind: 'provider' }],
        },
      ],
    },
  }
  const cluster = await Cluster.create({ name: 'pool-real', mode: 'process', servers: [] })
  onTestFinished(async () => void (await cluster.dispose()))
  const server = cluster.add(serveSpec({ name: 'serve', roles: ['api', 'pool'], config }))
  await server.start({}, { timeoutMs: 60_000 })
  return { libvirtd, client: createClient({ endpoint: server.url }) }
}

async function virsh({ libvirtd }: Lab, ...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await libvirtd.virsh(...args)
  if (exitCode !== 0) throw new Error(`virsh ${args.join(' ')} failed: ${stderr}`)
  return stdout
}

async function guests(lab: Lab, ...which: readonly string[]): Promise<string[]> {
  const names = (await virsh(lab, 'list', '--name', ...which)).split('\n')
  return names
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .sort()
}

/** Defines and starts a guest past the pool. Its tag comes last: a leaked guest may be removed as soon as it has one. */
async function makeGuest(lab: Lab, name: string, tags: MachineTags | null): Promise<void> {
  const file = join(lab.libvirtd.directory, `${name}.xml`)
  await writeFile(file, tinyDomainXml({ name }))
  await virsh(lab, 'define', file)
  await virsh(lab, 'start', name)
  if (tags === null) return
  const element = writeMachineElement({ tags, template: 'default', address: null })
  const place = ['--uri', MACHINE_NAMESPACE, '--key', MACHINE_PREFIX]
  await virsh(lab, 'metadata', name, ...place, '--set', element, '--live', '--config')
}

const ready = async ({ client }: Lab): Promise<PoolVm[]> => await client.pools.list({ state: 'ready' })

async function untilReady(lab: Lab, count = MIN_READY): Promise<PoolVm[]> {
  const enough = async (): Promise<PoolVm[] | undefined> => {
    const vms = await ready(lab)
    return vms.length >= count ? vms : undefined
  }
  return await waitUntil(enough, { timeoutMs: PATIENCE_MS, what: `${count} ready guests`, pollMs: 200 })
}

describe('a pool of real guests', () => {
  test('C8 C10 keeps min_ready, replaces a killed guest, removes a leaked one, never touches a foreign one', async (context) => {
    requireLibvirt(context)
    const lab = await start()

    // C8: the minimum is there, as real guests that run, under the names of the pool.
    const first = await untilReady(lab)
    expect(first.map(({ name }) => name).sort()).toEqual(await guests(lab))
    expect(new Set(first.map(({ ip }) => ip)).size, 'each with an address of its own').toBe(MIN_READY)

    // Others' guests: one without any tag, and one of another installation.
    await makeGuest(lab, 'somebody-elses', null)
    const old = Date.now() - OLD_MS
    const tags = { installation: 'another-pool', pool: 'tiny', vmName: 'of-another-pool', createdAt: old }
    await makeGuest(lab, 'of-another-pool', tags)

    // A guest of a use: taken, given back, and gone, because it is used once.
    const lease = await lab.client.pools.acquire({ worker: 'test', groups: ['tiny'], waitMs: 60_000 })
    expect(await guests(lab)).toContain(lease.name)
    await lease.release()
    await waitUntil(async () => !(await guests(lab, '--all')).includes(lease.name), {
      timeoutMs: PATIENCE_MS,
      what: 'the used guest to be gone',
    })
    const [victim] = await untilReady(lab)

    // A killed guest is noticed and replaced.
    await virsh(lab, 'destroy', victim!.name)
    await waitUntil(async () => !(await guests(lab, '--all')).includes(victim!.name), {
      timeoutMs: PATIENCE_MS,
      what: 'the killed guest to be cleared away',
    })
    const after = await untilReady(lab)
    expect(after.map(({ name }) => name)).not.toContain(victim!.name)

    // A guest with our tag that nobody knows: a crash left it behind.
    const leaked = { installation: INSTALLATION, pool: 'tiny', vmName: 'leaked', createdAt: old }
    await makeGuest(lab, 'leaked', leaked)
    await waitUntil(async () => !(await guests(lab, '--all')).includes('leaked'), {
      timeoutMs: PATIENCE_MS,
      what: 'the leaked guest to be removed',
    })

    // Vanished without a word: the record goes, and a new one comes.
    const [gone] = await untilReady(lab)
    await virsh(lab, 'destroy', gone!.name)
    await virsh(lab, 'undefine', gone!.name)
    await waitUntil(async () => (await ready(lab)).every(({ name }) => name !== gone!.name), {
      timeoutMs: PATIENCE_MS,
      what: 'the record of the vanished guest to go',
    })
    await untilReady(lab)

    const running = await guests(lab)
    expect(running, 'the guests of others run as before').toEqual(
      expect.arrayContaining(['of-another-pool', 'somebody-elses']),
    )
    expect(running.length).toBeLessThanOrEqual(2 + 4)
  }, 400_000)
})
