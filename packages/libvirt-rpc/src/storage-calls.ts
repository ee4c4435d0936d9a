import type { CallOptions, FlagOptions } from './call-options.ts'
import type { StoragePoolRef, StorageVolume } from './storage.ts'

/** Calls about storage pools and their volumes. They reject as `DomainCalls` do. */
export interface StorageCalls {
  /** Rejects with `NO_STORAGE_POOL`. */
  lookupStoragePool(name: string, options?: CallOptions): Promise<StoragePoolRef>
  /** Has the server look at what is in the pool: it does not see by itself what others put there. */
  refreshStoragePool(pool: StoragePoolRef, options?: CallOptions): Promise<void>
  /** Rejects with `OPERATION_INVALID` when the pool is not active. */
  listAllVolumes(pool: StoragePoolRef, options?: CallOptions): Promise<StorageVolume[]>
  /** Rejects with `NO_STORAGE_VOL`. */
  lookupVolume(pool: StoragePoolRef, name: string, options?: CallOptions): Promise<StorageVolume>
  /** Rejects with `STORAGE_VOL_EXIST`. Flags: `StorageVolumeCreateFlag`. */
  createVolume(pool: StoragePoolRef, xml: string, options?: FlagOptions): Promise<StorageVolume>
  /** Rejects with `NO_STORAGE_VOL`. */
  deleteVolume(volume: StorageVolume, options?: CallOptions): Promise<void>
  getVolumePath(volume: StorageVolume, options?: CallOptions): Promise<string>
}
