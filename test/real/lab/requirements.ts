import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'vitest'

const packagesByProgram: Readonly<Record<string, string>> = {
  libvirtd: 'libvirt-daemon libvirt-daemon-driver-qemu',
  virsh: 'libvirt-clients',
  'qemu-system-x86_64': 'qemu-system-x86',
  unshare: 'util-linux',
}

/** What a private libvirtd lacks on this machine, in words for a skip; `undefined` when nothing. */
export function missingForLibvirt(): string | undefined {
  for (const [program, packages] of Object.entries(packagesByProgram)) {
    if (!isOnPath(program)) return `${program} not found: apt-get install ${packages}`
  }
  return process.getuid?.() === 0 ? undefined : 'a private libvirtd needs root (mount and process namespaces)'
}

/** Skips the test where a private libvirtd cannot run, and fails it when MAINSTAY_TEST_ALL=1 forbids skipping. */
export function requireLibvirt(context: TestContext): void {
  const missing = missingForLibvirt()
  if (missing === undefined) return
  if (process.env['MAINSTAY_TEST_ALL'] === '1') throw new Error(missing)
  context.skip(missing)
}

function isOnPath(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some((folder) => isExecutable(join(folder, program)))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
