import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'
import { InterfaceSource, LibvirtError, LibvirtErrorCode } from '@mainstay/libvirt-rpc'
import { need } from '../support/need.ts'
import { useLibvirtLab } from './lab/libvirt-lab.ts'

const lab = useLibvirtLab()

const volumeXml = (name: string, backing = ''): string =>
  `<volume><name>${name}</name><capacity unit='MiB'>8</capacity><target><format type='qcow2'/></target>${backing}</volume>`

async function definePool(name: string): Promise<string> {
  const target = join(lab.host.directory, name)
  await mkdir(target)
  const { exitCode, stderr } = await lab.host.virsh('pool-create-as', name, 'dir', '--target', target)
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  return target
}

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  const error: unknown = await call.catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(LibvirtError)
  return (error as LibvirtError).code
}

describe('storage, as virsh sees it', () => {
  test('a volume over another is made, found, listed and deleted', async (context) => {
    need(context, { program: 'qemu-img', package: 'qemu-utils' })
    const target = await definePool('made')
    const connection = await lab.connect()
    const pool = await connection.lookupStoragePool('made')
    expect((await lab.host.virsh('pool-uuid', 'made')).stdout.trim()).toBe(pool.uuid)

    const base = await connection.createVolume(pool, volumeXml('base.qcow2'))
    expect(base).toEqual({ pool: 'made', name: 'base.qcow2', key: join(target, 'base.qcow2') })
    expect(await connection.getVolumePath(base)).toBe(join(target, 'base.qcow2'))
    const backing = `<backingStore><path>${base.key}</path><format type='qcow2'/></backingStore>`
    const overlay = await connection.createVolume(pool, volumeXml('overlay.qcow2', backing))
    expect((await lab.host.virsh('vol-dumpxml', '--pool', 'made', 'overlay.qcow2')).stdout).toContain(base.key)
    expect(await codeOf(connection.createVolume(pool, volumeXml('base.qcow2')))).toBe(
      LibvirtErrorCode.STORAGE_VOL_EXIST,
    )

    expect(await connection.lookupVolume(pool, 'overlay.qcow2')).toEqual(overlay)
    expect((await connection.listAllVolumes(pool)).map(({ name }) => name).sort()).toEqual([
      'base.qcow2',
      'overlay.qcow2',
    ])
    await connection.deleteVolume(overlay)
    expect(await codeOf(connection.deleteVolume(overlay))).toBe(LibvirtErrorCode.NO_STORAGE_VOL)
    expect((await connection.listAllVolumes(pool)).map(({ name }) => name)).toEqual(['base.qcow2'])
  })

  test('what others put into a pool is seen after a refresh', async () => {
    const target = await definePool('refreshed')
    const connection = await lab.connect()
    const pool = await connection.lookupStoragePool('refreshed')
    await writeFile(join(target, 'foreign.img'), 'x')
    expect(await connection.listAllVolumes(pool)).toEqual([])
    await connection.refreshStoragePool(pool)
    expect(await connection.listAllVolumes(pool)).toMatchObject([{ name: 'foreign.img' }])
  })

  test('what is not there is refused by its name', async () => {
    const connection = await lab.connect()
    expect(await codeOf(connection.lookupStoragePool('nowhere'))).toBe(LibvirtErrorCode.NO_STORAGE_POOL)
    await definePool('empty')
    const pool = await connection.lookupStoragePool('empty')
    expect(await codeOf(connection.lookupVolume(pool, 'none'))).toBe(LibvirtErrorCode.NO_STORAGE_VOL)
  })
})

describe('addresses of a guest', () => {
  test('the DHCP server knows none of a guest without a network card, and without an agent nobody tells', async () => {
    const guest = await lab.defineGuest({ name: 'no-card' })
    const connection = await lab.connect()
    const running = await connection.create(guest)
    expect(await connection.interfaceAddresses(running, { source: InterfaceSource.LEASE })).toEqual([])
    const asking = connection.interfaceAddresses(running, { source: InterfaceSource.AGENT })
    expect(await codeOf(asking)).toBe(LibvirtErrorCode.AGENT_UNRESPONSIVE)
  })

  test('a guest that does not run has none to tell', async () => {
    const guest = await lab.defineGuest({ name: 'off' })
    const connection = await lab.connect()
    const asking = connection.interfaceAddresses(guest, { source: InterfaceSource.LEASE })
    expect(await codeOf(asking)).toBe(LibvirtErrorCode.OPERATION_INVALID)
  })
})
