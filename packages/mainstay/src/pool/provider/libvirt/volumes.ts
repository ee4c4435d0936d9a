import { LibvirtError, type LibvirtConnection, type StoragePoolRef, type StorageVolume } from '@mainstay/libvirt-rpc'

import type { MachineTags, ProviderResource } from '../provider.ts'
import { escapeXml } from './escape-xml.ts'
import { NO_STORAGE_VOL, unlessMissing, type Bounds, type LibvirtAccess } from './libvirt-access.ts'
import type { LibvirtTemplate } from './options.ts'
import { readVolumeName, volumeName } from './volume-name.ts'

type Disk = NonNullable<LibvirtTemplate['disk']>

/** The volumes of our guests: each lies over an image that they share and nobody changes. */
export class Volumes {
  readonly #libvirt: LibvirtAccess
  readonly #pools: readonly string[]

  /** @param pools names of the storage pools in which volumes of ours may be */
  constructor(libvirt: LibvirtAccess, pools: readonly string[]) {
    this.#libvirt = libvirt
    this.#pools = pools
  }

  /** Makes an empty volume over the image; one of that name is replaced. @returns its path on the host */
  async make(tags: MachineTags, { pool, basePath, baseFormat = 'qcow2', sizeMib }: Disk, signal: AbortSignal) {
    const name = volumeName(tags)
    const xml =
      `<volume><name>${escapeXml(name)}</name><capacity unit='MiB'>${sizeMib}</capacity>` +
      `<target><format type='qcow2'/></target>` +
      `<backingStore><path>${escapeXml(basePath)}</path><format type='${baseFormat}'/></backingStore></volume>`
    return await this.#libvirt.act(`make the volume of ${tags.vmName}`, signal, async (libvirt, bounds) => {
      const place = await libvirt.lookupStoragePool(pool, bounds)
      const before = await unlessMissing(libvirt.lookupVolume(place, name, bounds), NO_STORAGE_VOL)
      if (before !== undefined) await libvirt.deleteVolume(before, bounds)
      return await libvirt.getVolumePath(await libvirt.createVolume(place, xml, bounds), bounds)
    })
  }

  /** Deletes the volume of a machine; fine when there is none. */
  async removeOf(tags: MachineTags, signal: AbortSignal): Promise<void> {
    if (this.#pools.length === 0) return
    await this.#libvirt.act(`delete the volume of ${tags.vmName}`, signal, async (libvirt, bounds) => {
      for (const name of this.#pools) {
        const pool = await libvirt.lookupStoragePool(name, bounds)
        const volume = await unlessMissing(libvirt.lookupVolume(pool, volumeName(tags), bounds), NO_STORAGE_VOL)
        if (volume !== undefined) await unlessMissing(libvirt.deleteVolume(volume, bounds), NO_STORAGE_VOL)
      }
    })
  }

  /** Deletes all volumes that bear a machine's name, where nothing else is known of it any more. */
  async removeNamed({ installation, vmName }: Pick<MachineTags, 'installation' | 'vmName'>, signal: AbortSignal) {
    for (const volume of await this.list(signal)) {
      if (volume.tags?.installation !== installation || volume.tags.vmName !== vmName) continue
      await this.remove(volume, signal)
    }
  }

  /** All volumes with anybody's tags. @throws ProviderError when any of them may be missing */
  async list(signal: AbortSignal): Promise<ProviderResource[]> {
    if (this.#pools.length === 0) return []
    return await this.#libvirt.ask('list its volumes', signal, async (libvirt, bounds) => {
      return (await this.#all(libvirt, bounds)).map(({ tags, volume }) => {
        return { kind: 'volume', providerId: volume.key, name: volume.name, tags }
      })
    })
  }

  /** Fine when it is gone. */
  async remove({ providerId, name }: ProviderResource, signal: AbortSignal): Promise<void> {
    await this.#libvirt.act(`delete the volume ${name}`, signal, async (libvirt, bounds) => {
      const found = (await this.#all(libvirt, bounds)).find(({ volume }) => volume.key === providerId)
      if (found !== undefined) await unlessMissing(libvirt.deleteVolume(found.volume, bounds), NO_STORAGE_VOL)
    })
  }

  async #all(
    libvirt: LibvirtConnection,
    bounds: Bounds,
  ): Promise<{ readonly tags: MachineTags | null; readonly volume: StorageVolume }[]> {
    const found: { tags: MachineTags | null; volume: StorageVolume }[] = []
    for (const name of this.#pools) {
      const pool: StoragePoolRef = await libvirt.lookupStoragePool(name, bounds)
      await refresh(libvirt, pool, bounds)
      for (const volume of await libvirt.listAllVolumes(pool, bounds)) {
        found.push({ tags: readVolumeName(volume.name), volume })
      }
    }
    return found
  }
}

/** Another program may have put something there that libvirtd has not seen; what we make, it knows. */
async function refresh(libvirt: LibvirtConnection, pool: StoragePoolRef, bounds: Bounds): Promise<void> {
  try {
    await libvirt.refreshStoragePool(pool, bounds)
  } catch (error) {
    // A volume is being made in this moment, and libvirtd refuses to look meanwhile.
    if (!(error instanceof LibvirtError) || !error.serverMessage.includes('asynchronous jobs')) throw error
  }
}
