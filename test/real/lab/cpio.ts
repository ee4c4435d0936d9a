export interface CpioEntry {
  /** Without a leading slash. */
  readonly path: string
  readonly kind: 'directory' | 'file' | 'link' | 'character device'
  /** The bytes of a file, the target of a link. */
  readonly content?: Uint8Array | string
  /** Permission bits; default 0755. */
  readonly permissions?: number
  /** Of a character device. */
  readonly device?: { readonly major: number; readonly minor: number }
}

const typeBits = { directory: 0o040000, file: 0o100000, link: 0o120000, 'character device': 0o020000 } as const

/** An archive in cpio's "newc" form, as the Linux kernel unpacks it for its initial file system. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.map((entry, index) => member(entry, index + 1))
  return Buffer.concat([...parts, member({ path: 'TRAILER!!!', kind: 'file', permissions: 0 }, 0)])
}

function member({ path, kind, content = '', permissions = 0o755, device }: CpioEntry, inode: number): Buffer {
  const data = Buffer.from(content)
  const name = Buffer.from(`${path}\0`)
  const mode = inode === 0 ? 0 : typeBits[kind] | permissions
  const numbers = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, device?.major ?? 0, device?.minor ?? 0, name.length, 0]
  const header = Buffer.from(`070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`)
  return Buffer.concat([padded(Buffer.concat([header, name])), padded(data)])
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
}
