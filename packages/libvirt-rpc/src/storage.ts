/** What names a storage pool in a call. */
export interface StoragePoolRef {
  readonly name: string
  /** Lower case, with hyphens. */
  readonly uuid: string
}

/** What names a volume in a call, and how the server names it. */
export interface StorageVolume {
  /** The name of its pool. */
  readonly pool: string
  readonly name: string
  /** The server's key for it; for a file, its path. */
  readonly key: string
}
