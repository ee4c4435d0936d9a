import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { beforeEach, describe, expect, test } from 'vitest'

import type { Compute, Instance } from '../../packages/mainstay/src/compute/compute.ts'
import { InstanceRefusedError, InstanceStateError } from '../../packages/mainstay/src/compute/errors.ts'
import { FenceUnprovenError, type FenceCertificate } from '../../packages/mainstay/src/compute/fence-certificate.ts'
import { claimedBy } from '../../packages/mainstay/src/compute/libvirt/guest-record.ts'
import { Inventory } from '../../packages/mainstay/src/compute/libvirt/inventory.ts'
import { requireLibvirt } from './lab/requirements.ts'
import { waitUntil } from './lab/wait-until.ts'
import { TwoLibvirtHosts } from './two-libvirt-hosts.ts'

const PATIENCE_MS = 20_000
const BOUND = { timeoutMs: PATIENCE_MS }

describe('real libvirt hosts that fail', () => {
  let hosts: TwoLibvirtHosts

  beforeEach(async (context) => {
    requireLibvirt(context)
    hosts = await TwoLibvirtHosts.start({ askTimeoutMs: 1_000, sharedPaths: ['/tmp'] })
    return async () => await hosts[Symbol.asyncDispose]()
  })

  const asking = () => ({ signal: AbortSignal.timeout(PATIENCE_MS) })
  const acting = (key: string) => ({ ...asking(), key, fence: 1 })

  function proof(): FenceCertificate {
    const now = Date.now()
    const evidence = [{ at: now, source: 'the laboratory', saw: 'every process of the host has ended' }]
    const host = hosts.source.hostname
    return { host, method: 'asserted', evidence, provenAt: now, validUntil: now + 600_000, assertedBy: 'a test' }
  }

  async function evacuate(uuid: string, key = 'move'): Promise<void> {
    const options = { target: hosts.target.hostname, certificate: proof() }
    await hosts.compute.evacuate(uuid, options, acting(key))
  }

  async function reaches(uuid: string, until: (instance: Instance) => boolean): Promise<Instance> {
    const options = { timeoutMs: PATIENCE_MS, pollMs: 500, ...asking() }
    return await hosts.compute.waitForInstance(uuid, until, options)
  }

  async function hostState(compute: Compute, name: string): Promise<string | undefined> {
    return (await compute.findHost(name, asking()))?.state
  }

  const domainsOf = async (host: TwoLibvirtHosts['source']): Promise<string> => {
    return (await host.virsh('list', '--all', '--uuid')).stdout
  }

  test('the guests of a host that died before this process began are known by the inventory, their state as unknown', async () => {
    const { source } = hosts
    const metadata = `<m:project>p1</m:project><m:meta key="HA_Enabled">True</m:meta>`
    const uuid = await hosts.define(source, { name: 'kept', metadata }, { start: true })
    await hosts.open()
    await hosts.close()
    await source.powerOff()
    const compute = await hosts.open()
    expect(await compute.listInstances(source.hostname, asking())).toMatchObject([
      { uuid, state: 'active', metadata: { HA_Enabled: 'True' }, projectId: 'p1', memoryMib: 32 },
    ])
    expect(await compute.findInstance(uuid, asking())).toMatchObject({ state: 'unknown', host: source.hostname })
    await evacuate(uuid)
    await reaches(uuid, ({ state }) => state === 'active')
    expect(await hosts.runningCopies(uuid)).toEqual([hosts.target.hostname])
  })

  test('what is left on a host that comes back is taken away, once; later the guest may come home', async () => {
    const { source } = hosts
    const uuid = await hosts.define(source, { name: 'moved' }, { start: true })
    const staying = await hosts.define(source, { name: 'staying' })
    await hosts.open()
    await source.powerOff()
    await evacuate(uuid)
    await source.powerOn()
    await waitUntil(async () => !(await domainsOf(source)).includes(uuid), {
      ...BOUND,
      what: 'the end of the left one',
    })
    expect(await domainsOf(source)).toContain(staying)
    expect(await hosts.runningCopies(uuid)).toEqual([hosts.target.hostname])
    expect(hosts.events).toEqual([])

    await hosts.target.virsh('destroy', 'moved')
    await hosts.define(source, { name: 'moved', uuid }, { start: true })
    await reaches(uuid, ({ host, state }) => host === source.hostname && state === 'active')
    expect(hosts.events).toEqual([])
  })

  test('a moved guest that runs again on its old host raises one alarm, and nothing is stopped', async () => {
    const { source, target } = hosts
    const uuid = await hosts.define(source, { name: 'twice' }, { start: true })
    await hosts.open()
    await hosts.close()
    await source.powerOff()
    await hosts.open()
    await evacuate(uuid)
    await hosts.close()
    await source.powerOn()
    await source.virsh('start', 'twice')
    await hosts.open()
    await waitUntil(() => hosts.events.length > 0, { ...BOUND, what: 'the alarm' })
    await source.virsh('suspend', 'twice')
    await source.virsh('resume', 'twice')
    await waitUntil(async () => (await source.virsh('domstate', 'twice')).stdout.includes('running'), {
      ...BOUND,
      what: 'the guest to run on',
    })
    expect(hosts.events).toMatchObject([
      { type: 'compute.instance.two_copies', severity: 'critical', resourceId: uuid },
    ])
    expect(await hosts.runningCopies(uuid)).toEqual([source.hostname, target.hostname])
  })

  test('a guest that starts by itself and could run elsewhere is told of once; one that is bound to its host is not', async () => {
    const { source } = hosts
    const uuid = await hosts.define(source, { name: 'own' })
    const devices = `<disk type='file'><source file='/local/disk.img'/><target dev='vda' bus='virtio'/></disk>`
    await hosts.define(source, { name: 'bound', devices })
    await hosts.define(source, { name: 'plain' })
    for (const name of ['own', 'bound']) await source.virsh('autostart', name)
    await hosts.open({ refreshIntervalMs: 100 })
    const alarm = { type: 'compute.instance.autostart', severity: 'warning', resourceId: uuid }
    expect(hosts.events).toMatchObject([alarm])
    await source.virsh('autostart', '--disable', 'own')
    await source.virsh('autostart', 'plain')
    await waitUntil(() => hosts.events.length > 1, { ...BOUND, what: 'the second look' })
    await source.virsh('autostart', 'own')
    await waitUntil(() => hosts.events.length > 2, { ...BOUND, what: 'the third look' })
    expect(hosts.events.map(({ payload }) => payload['name'])).toEqual(['own', 'plain', 'own'])
  })

  test('a guest that starts by itself does so no more where that is asked for', async () => {
    const { source } = hosts
    const uuid = await hosts.define(source, { name: 'own' }, { start: true })
    await source.virsh('autostart', 'own')
    await hosts.open({ autostart: 'disable' })
    expect((await source.virsh('list', '--all', '--autostart', '--name')).stdout.trim()).toBe('')
    expect((await source.virsh('domstate', 'own')).stdout).toContain('running')
    expect(hosts.events).toMatchObject([
      { type: 'compute.instance.autostart_disabled', severity: 'info', resourceId: uuid },
    ])
  })

  test('a guest that somebody starts on a second host raises an alarm', async () => {
    const { source, target } = hosts
    const uuid = await hosts.define(source, { name: 'twin' }, { start: true })
    await hosts.open()
    await hosts.define(target, { name: 'twin', uuid }, { start: true })
    await waitUntil(() => hosts.events.length > 0, { ...BOUND, what: 'the alarm' })
    expect(hosts.events).toMatchObject([{ nodeName: target.hostname, resourceId: uuid }])
    expect(await hosts.runningCopies(uuid)).toEqual([source.hostname, target.hostname])
  })

  test('a guest that was moved by hand has its place there', async () => {
    const { source, target } = hosts
    const uuid = await hosts.define(source, { name: 'walker' })
    const compute = await hosts.open()
    await hosts.define(target, { name: 'walker', uuid }, { start: true })
    await waitUntil(async () => (await compute.findInstance(uuid, asking()))?.host === target.hostname, {
      ...BOUND,
      what: 'the new place',
    })
    expect(await compute.listInstances(source.hostname, asking())).toEqual([])
    expect(hosts.events).toEqual([])
  })

  test('guests that are defined and undefined are known and forgotten as it happens', async () => {
    const compute = await hosts.open()
    const uuid = await hosts.define(hosts.source, { name: 'fleeting' })
    expect(await compute.findInstance(uuid, asking())).toMatchObject({ name: 'fleeting', state: 'stopped' })
    await hosts.source.virsh('undefine', 'fleeting')
    await waitUntil(async () => (await compute.findInstance(uuid, asking())) === undefined, {
      ...BOUND,
      what: 'its end',
    })
    expect(await compute.listInstances(hosts.source.hostname, asking())).toEqual([])
  })

  test('a target that refuses a guest leaves it where it was, to be tried again', async () => {
    const { source, target } = hosts
    const disk = join(source.directory, 'disk.img')
    const devices = `<disk type='file'><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>`
    await writeFile(disk, Buffer.alloc(4096))
    const uuid = await hosts.define(source, { name: 'picky', devices }, { start: true })
    await hosts.open()
    await source.powerOff()
    const hidden = `${disk}.hidden`
    await rename(disk, hidden)
    await expect(evacuate(uuid, 'first')).rejects.toThrow(InstanceRefusedError)
    expect(await domainsOf(target)).not.toContain(uuid)
    expect(await hosts.compute.listMoves(uuid, { sinceMs: 0 }, asking())).toEqual([])
    expect(await hosts.compute.findInstance(uuid, asking())).toMatchObject({ host: source.hostname })
    await rename(hidden, disk)
    await evacuate(uuid, 'first')
    await reaches(uuid, ({ state }) => state === 'active')
    expect(await hosts.runningCopies(uuid)).toEqual([target.hostname])
  })

  test('a guest is not started where it is once another process has begun to restart it elsewhere', async () => {
    const { source, target, store } = hosts
    const uuid = await hosts.define(source, { name: 'late' })
    const compute = await hosts.open()
    const inventory = new Inventory(store)
    const record = (await inventory.find(uuid))!
    // While the starter waits for the other host, the other process claims the guest.
    const daemon = (await target.daemonPid())!
    process.kill(daemon, 'SIGSTOP')
    try {
      const starting = Promise.allSettled([compute.start(uuid, acting('late'))])
      await source.virsh('domstate', 'late')
      const place = { source: source.hostname, target: target.hostname, startedAt: 1, run: true, done: false }
      await inventory.change(uuid, () => claimedBy(record, { key: 'move', ...place, sourceCleared: false }))
      expect(await starting).toMatchObject([{ reason: { message: expect.stringMatching(/has begun to move it/) } }])
    } finally {
      process.kill(daemon, 'SIGCONT')
    }
    expect(await hosts.runningCopies(uuid)).toEqual([])
  })

  test.each([
    ['the guest has left', /has begun to move it/],
    ['its start was taken over', /has started or stopped it/],
  ])('a starter that is paused behind its last question lets nothing run where meanwhile %s', async (how, refusal) => {
    const { source, target, store } = hosts
    const uuid = await hosts.define(source, { name: 'later' })
    const compute = await hosts.open()
    const inventory = new Inventory(store)
    const [from, to] = [(await source.daemonPid())!, (await target.daemonPid())!]
    process.kill(to, 'SIGSTOP')
    try {
      // It waits for the other host, then for its own: as long as libvirtd stands still, so does what was asked of it.
      const starting = Promise.allSettled([compute.start(uuid, acting('later'))])
      await source.virsh('domstate', 'later')
      process.kill(from, 'SIGSTOP')
      process.kill(to, 'SIGCONT')
      const isCreating = async (): Promise<boolean> => (await inventory.find(uuid))?.startingSince !== null
      await waitUntil(isCreating, { ...BOUND, what: 'the start to be under way' })
      const place = { source: source.hostname, target: target.hostname, startedAt: 1, run: true, done: false }
      const move = { key: 'move', ...place, sourceCleared: false }
      await inventory.change(uuid, (now) =>
        how === 'the guest has left' ? claimedBy(now!, move) : { ...now!, startingSince: null },
      )
      process.kill(from, 'SIGCONT')
      expect(await starting).toMatchObject([{ reason: { message: expect.stringMatching(refusal) } }])
    } finally {
      for (const daemon of [from, to]) process.kill(daemon, 'SIGCONT')
    }
    expect((await source.virsh('domstate', '--reason', 'later')).stdout).toContain('shut off (destroyed)')
    expect(await hosts.runningCopies(uuid)).toEqual([])
  })

  test('a guest that an earlier start left paused is stopped, and the next start lets it run; one that somebody paused is paused', async () => {
    const { source, store } = hosts
    const uuid = await hosts.define(source, { name: 'half-started' })
    const compute = await hosts.open()
    const inventory = new Inventory(store)
    await source.virsh('start', 'half-started', '--paused')
    expect(await compute.findInstance(uuid, asking())).toMatchObject({ state: 'paused' })
    await expect(compute.start(uuid, acting('half-started'))).rejects.toThrow(/because it is paused/)
    await inventory.change(uuid, (now) => now && { ...now, startingSince: 1 })
    expect(await compute.findInstance(uuid, asking())).toMatchObject({ state: 'stopped' })
    await compute.start(uuid, acting('half-started'))
    await reaches(uuid, ({ state }) => state === 'active')
    expect(await inventory.find(uuid)).toMatchObject({ startingSince: null, state: 'active' })
  })

  test('a saved guest is restored by a start, and let run by the next one where that ended half-way', async () => {
    const { source, store } = hosts
    const uuid = await hosts.define(source, { name: 'saved' }, { start: true })
    const compute = await hosts.open()
    const inventory = new Inventory(store)
    await source.virsh('managedsave', 'saved')
    await compute.start(uuid, acting('saved'))
    await reaches(uuid, ({ state }) => state === 'active')
    await source.virsh('managedsave', 'saved')
    await source.virsh('start', 'saved', '--paused')
    await inventory.change(uuid, (now) => now && { ...now, startingSince: 1 })
    await compute.start(uuid, acting('saved again'))
    await reaches(uuid, ({ state }) => state === 'active')
    expect((await source.virsh('domstate', 'saved')).stdout).toContain('running')
    expect(await inventory.find(uuid)).toMatchObject({ startingSince: null })
  })

  test('a creation that is heard after it was given up is gone on with by the start that repeats it', async () => {
    const { source, target } = hosts
    const uuid = await hosts.define(source, { name: 'heard-late' })
    const compute = await hosts.open()
    const other = (await target.daemonPid())!
    process.kill(other, 'SIGSTOP')
    try {
      // It has seen the guest off and waits for the other host.
      const starting = compute.start(uuid, acting('heard-late'))
      await source.virsh('domstate', 'heard-late')
      await source.virsh('start', 'heard-late', '--paused')
      process.kill(other, 'SIGCONT')
      await starting
    } finally {
      process.kill(other, 'SIGCONT')
    }
    await reaches(uuid, ({ state }) => state === 'active')
    expect(await hosts.runningCopies(uuid)).toEqual([source.hostname])
  })

  test('a guest that a starter had created before it was claimed is restarted nowhere else, and can still be let run', async () => {
    const { source, target, store } = hosts
    const uuid = await hosts.define(source, { name: 'first-come' })
    const compute = await hosts.open()
    const inventory = new Inventory(store)
    await source.virsh('start', 'first-come', '--paused')
    const place = { source: source.hostname, target: target.hostname, startedAt: 1, run: true, done: false }
    const move = { key: 'second-come', ...place, sourceCleared: false }
    await inventory.change(uuid, (now) => now && { ...claimedBy(now, move), startingSince: 1 })
    // The claim stands, so what refuses is the look behind it.
    await expect(evacuate(uuid, 'second-come')).rejects.toThrow(/is seen running on host/)
    await reaches(uuid, ({ host, state }) => host === source.hostname && state === 'stopped')
    await compute.start(uuid, acting('first-come'))
    await reaches(uuid, ({ state }) => state === 'active')
    expect(await hosts.runningCopies(uuid)).toEqual([source.hostname])
    expect(await domainsOf(target)).not.toContain(uuid)
  })

  test('a start that libvirt refuses leaves no mark', async () => {
    const { source, store } = hosts
    const devices = `<disk type='file'><source file='${join(source.directory, 'none.img')}'/><target dev='vda' bus='virtio'/></disk>`
    const uuid = await hosts.define(source, { name: 'diskless', devices })
    const compute = await hosts.open()
    await expect(compute.start(uuid, acting('diskless'))).rejects.toThrow(InstanceRefusedError)
    expect(await new Inventory(store).find(uuid)).toMatchObject({ startingSince: null, state: 'stopped' })
  })

  test('a restart that a dead process had only claimed is finished by the same act', async () => {
    const { source, target, store } = hosts
    const uuid = await hosts.define(source, { name: 'claimed' }, { start: true })
    await hosts.open()
    await hosts.close()
    await source.powerOff()
    const inventory = new Inventory(store)
    const record = (await inventory.find(uuid))!
    const place = { source: record.host, target: target.hostname }
    const claimed = claimedBy(record, {
      key: 'move',
      ...place,
      startedAt: 1,
      run: true,
      done: false,
      sourceCleared: false,
    })
    await inventory.change(uuid, () => claimed)

    await hosts.open()
    expect(await hosts.compute.findInstance(uuid, asking())).toMatchObject({
      state: 'unknown',
      taskState: 'rebuilding',
    })
    expect(await hosts.compute.listMoves(uuid, { sinceMs: 0 }, asking())).toMatchObject([{ state: 'running' }])
    await evacuate(uuid, 'move')
    await reaches(uuid, ({ state, taskState }) => state === 'active' && taskState === null)
    expect(await hosts.runningCopies(uuid)).toEqual([target.hostname])
    expect(await hosts.compute.listMoves(uuid, { sinceMs: 0 }, asking())).toMatchObject([{ state: 'done' }])
  })

  test('a restart that was only claimed is given back when the guest runs again on its host, which came back', async () => {
    const { source, target, store } = hosts
    const uuid = await hosts.define(source, { name: 'homecoming' }, { start: true })
    await hosts.open()
    await hosts.close()
    await source.powerOff()
    const inventory = new Inventory(store)
    const record = (await inventory.find(uuid))!
    const place = { source: record.host, target: target.hostname, startedAt: 1, run: true, done: false }
    await inventory.change(uuid, () => claimedBy(record, { key: 'move', ...place, sourceCleared: false }))
    await source.powerOn()
    await source.virsh('start', 'homecoming')

    const compute = await hosts.open()
    await expect(evacuate(uuid, 'move')).rejects.toThrow(InstanceStateError)
    await reaches(uuid, ({ host, state, taskState }) => {
      return host === source.hostname && state === 'active' && taskState === null
    })
    expect(await hosts.runningCopies(uuid)).toEqual([source.hostname])
    expect(await domainsOf(target)).not.toContain(uuid)
    expect(await compute.listMoves(uuid, { sinceMs: 0 }, asking())).toEqual([])
  })

  test.each(['off', 'its libvirtd answers'])(
    'a restart whose target died is begun anew from there, with the proof of that death alone: %s',
    async (how) => {
      const { source, target, store } = hosts
      const uuid = await hosts.define(source, { name: 'twice-hit' }, { start: true })
      await hosts.open()
      await hosts.close()
      await source.powerOff()
      const inventory = new Inventory(store)
      const record = (await inventory.find(uuid))!
      const place = { source: record.host, target: target.hostname, startedAt: 1, run: true, done: false }
      const claimed = claimedBy(record, { key: 'first', ...place, sourceCleared: false })
      await inventory.change(uuid, () => claimed)
      // The process that died had come as far as this.
      await hosts.define(target, { name: 'twice-hit', uuid })
      await source.powerOn()
      if (how === 'off') await target.powerOff()

      const compute = await hosts.open()
      const options = { target: source.hostname, certificate: { ...proof(), host: target.hostname } }
      const listed = await compute.listInstances(target.hostname, asking())
      expect(listed).toMatchObject([{ uuid, host: target.hostname, state: 'active', taskState: 'rebuilding' }])
      await expect(
        compute.evacuate(uuid, { ...options, certificate: proof() }, acting('without its proof')),
      ).rejects.toThrow(FenceUnprovenError)
      await compute.evacuate(uuid, options, acting('second'))
      await reaches(uuid, ({ host, state }) => host === source.hostname && state === 'active')
      // The first act, whose owner may only have been paused, does nothing any more.
      await compute.evacuate(uuid, { ...options, target: target.hostname }, acting('first'))
      expect(await hosts.runningCopies(uuid)).toEqual([source.hostname])
      expect(await compute.listMoves(uuid, { sinceMs: 0 }, asking())).toMatchObject([
        { key: 'second', state: 'done' },
        { key: 'first', state: 'failed' },
      ])
      // Nothing is left with which it could be started there; a host without power is cleared when it comes back.
      expect(how === 'off' ? '' : await domainsOf(target)).not.toContain(uuid)
    },
  )

  test('all guests of a host are destroyed, seen gone, and run again elsewhere', async () => {
    const { source, target } = hosts
    const names = ['one', 'two', 'three']
    const uuids = await Promise.all(names.map(async (name) => await hosts.define(source, { name }, { start: true })))
    const off = await hosts.define(source, { name: 'off' })
    const compute = await hosts.open()
    await expect(evacuate(uuids[0]!)).rejects.toThrow(InstanceStateError)

    const evidence = await compute.destroyAllGuests(source.hostname, asking())
    expect(await Promise.all(uuids.map(async (uuid) => await hosts.runningCopies(uuid)))).toEqual([[], [], []])
    for (const uuid of uuids) expect(evidence.some(({ saw }) => saw.includes(uuid))).toBe(true)
    expect(evidence.some(({ saw }) => saw.includes(off))).toBe(false)
    expect(evidence.at(-1)?.saw).toBe('the list of running guests is empty')

    const told = await compute.listInstances(source.hostname, asking())
    expect(told.map(({ name, state }) => `${name} ${state}`).sort()).toEqual([
      'off stopped',
      'one active',
      'three active',
      'two active',
    ])
    const certificate: FenceCertificate = { ...proof(), method: 'guests-destroyed', evidence, assertedBy: null }
    for (const uuid of [...uuids, off]) {
      await compute.evacuate(uuid, { target: target.hostname, certificate }, acting(`move ${uuid}`))
    }
    for (const uuid of uuids) await reaches(uuid, ({ state }) => state === 'active')
    expect(await hosts.runningCopies(uuids[2]!)).toEqual([target.hostname])
    expect(await compute.findInstance(off, asking())).toMatchObject({ host: target.hostname, state: 'stopped' })
    expect((await domainsOf(source)).trim()).toBe('')
    expect(hosts.events).toEqual([])
  })

  test('a host whose libvirtd is gone is down, and up again when it is back', async () => {
    const { source } = hosts
    const uuid = await hosts.define(source, { name: 'steady' }, { start: true })
    const compute = await hosts.open()
    await source.stopDaemon()
    const state = async (wanted: string) => (await hostState(compute, source.hostname)) === wanted
    await waitUntil(async () => await state('down'), { ...BOUND, what: 'down' })
    expect(await compute.findInstance(uuid, asking())).toMatchObject({ state: 'unknown' })
    expect(await compute.listInstances(source.hostname, asking())).toMatchObject([{ uuid, state: 'active' }])
    await expect(compute.stop(uuid, acting('stop'))).rejects.toMatchObject({ code: 'MS_COMPUTE_UNAVAILABLE' })
    await source.startDaemon()
    await waitUntil(async () => await state('up'), { ...BOUND, what: 'up' })
    await reaches(uuid, (instance) => instance.state === 'active')
    expect(await hosts.runningCopies(uuid)).toEqual([source.hostname])
  })

  test('a libvirtd that hangs makes its guests unknown within the time for a question', async () => {
    const uuid = await hosts.define(hosts.source, { name: 'numb' }, { start: true })
    const compute = await hosts.open()
    await hosts.source.freezeDaemon()
    const before = performance.now()
    expect(await compute.findInstance(uuid, asking())).toMatchObject({ state: 'unknown' })
    expect(performance.now() - before).toBeLessThan(5_000)
    expect(await hostState(compute, hosts.source.hostname)).toBe('unknown')
    await hosts.source.thawDaemon()
    await reaches(uuid, ({ state }) => state === 'active')
  })

  test('a guest that does not listen is stopped when its time is over', async () => {
    const uuid = await hosts.define(hosts.source, { name: 'deaf' }, { start: true })
    const compute = await hosts.open({ gracefulStopMs: 500 })
    await compute.stop(uuid, acting('stop'))
    expect(await compute.findInstance(uuid, asking())).toMatchObject({ state: 'active', taskState: 'powering-off' })
    await reaches(uuid, ({ state, taskState }) => state === 'stopped' && taskState === null)
    expect(await hosts.runningCopies(uuid)).toEqual([])
  })
})
