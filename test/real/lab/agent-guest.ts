import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { glob, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { TestContext } from 'vitest'
import { cpioArchive } from './cpio.ts'
import type { CpioEntry } from './cpio.ts'

/** A kernel and an initial file system that boot under emulation in about five seconds and answer as a guest agent. */
export interface AgentGuestImage {
  readonly kernel: string
  readonly initrd: string
}

const run = promisify(execFile)

/** Built once per machine; delete it to build it anew. */
const CACHE = join(tmpdir(), 'mainstay-agent-guest-1')

const CONSOLE_PATIENCE_MS = 30_000

const KERNEL_META_PACKAGE = 'linux-image-cloud-amd64'

/** In the order of loading (monitors.md 13.2); the balloon is ours. */
const MODULES = [
  'virtio_ring',
  'virtio',
  'virtio_pci_modern_dev',
  'virtio_pci_legacy_dev',
  'virtio_pci',
  'virtio_console',
  'virtio_balloon',
  'pvpanic',
  'pvpanic-pci',
]

/** `agent` starts the guest agent; the console is a shell that executes what is written to the serial line. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/sbin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev
for module in ${MODULES.join(' ')}; do insmod /modules/$module.ko; done
sleep 1
agent &
exec sh </dev/ttyS0 >/dev/ttyS0 2>&1
`

const AGENT = `#!/bin/sh
for port in /sys/class/virtio-ports/*; do
  [ "$(cat $port/name)" = org.qemu.guest_agent.0 ] && exec qemu-ga -m virtio-serial -p /dev/\${port##*/} -t /tmp -f /tmp/ga.pid
done
`

/**
 * The image, from the cache; built first, out of 28 MB of Debian packages, when MAINSTAY_TEST_ALL=1 allows downloading.
 * Skips the test otherwise.
 */
export async function requireAgentGuest(context: TestContext): Promise<AgentGuestImage> {
  const image = { kernel: join(CACHE, 'vmlinuz'), initrd: join(CACHE, 'initrd') }
  if (existsSync(CACHE)) return image
  if (process.env['MAINSTAY_TEST_ALL'] !== '1') {
    context.skip('guest with an agent not built: MAINSTAY_TEST_ALL=1 builds it from 28 MB of Debian packages')
  }
  await buildAgentGuest()
  return image
}

async function buildAgentGuest(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'agent-guest-build-'))
  try {
    await downloadPackages(folder)
    const [kernel] = await found('x/boot/vmlinuz-*', folder)
    if (kernel === undefined) throw new Error('The kernel package holds no kernel.')
    await writeFile(join(folder, 'initrd'), gzipSync(cpioArchive(await fileSystem(folder)), { level: 1 }))
    await rename(kernel, join(folder, 'vmlinuz'))
    for (const leftover of [join(folder, 'x'), ...(await found('*.deb', folder))])
      await rm(leftover, { recursive: true })
    await rename(folder, CACHE).catch((error: unknown) => {
      // Another run has built the same meanwhile.
      if (!existsSync(CACHE)) throw error
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function downloadPackages(folder: string): Promise<void> {
  const { stdout } = await run('apt-cache', ['depends', KERNEL_META_PACKAGE])
  const kernelPackage = /Depends: (linux-image-\S+)/.exec(stdout)?.[1]
  if (kernelPackage === undefined) throw new Error(`apt-cache knows no ${KERNEL_META_PACKAGE}: run apt-get update.`)
  await run('apt-get', ['download', 'busybox-static', 'qemu-guest-agent', kernelPackage], { cwd: folder })
  for (const archive of await found('*.deb', folder)) await run('dpkg', ['-x', archive, join(folder, 'x')])
}

async function fileSystem(folder: string): Promise<CpioEntry[]> {
  const unpacked = join(folder, 'x')
  const agent = join(unpacked, 'usr/sbin/qemu-ga')
  const folders = ['bin', 'dev', 'proc', 'sys', 'tmp', 'lib64', 'lib', 'modules', 'usr', 'usr/sbin']
  const entries: CpioEntry[] = [
    ...folders.map((path) => ({ path, kind: 'directory' as const })),
    { path: 'dev/console', kind: 'character device', permissions: 0o600, device: { major: 5, minor: 1 } },
    { path: 'init', kind: 'file', content: INIT },
    { path: 'bin/agent', kind: 'file', content: AGENT },
    { path: 'bin/busybox', kind: 'file', content: await readFile(join(unpacked, 'bin/busybox')) },
    { path: 'usr/sbin/qemu-ga', kind: 'file', content: await readFile(agent) },
  ]
  for (const library of await librariesOf(agent)) {
    const where = basename(library).startsWith('ld-') ? 'lib64' : 'lib'
    entries.push({ path: `${where}/${basename(library)}`, kind: 'file', content: await readFile(library) })
  }
  for (const module of MODULES) {
    const [path] = await found(`x/lib/modules/*/kernel/**/${module}.ko`, folder)
    if (path === undefined) throw new Error(`The kernel package holds no module ${module}.`)
    entries.push({ path: `modules/${module}.ko`, kind: 'file', content: await readFile(path) })
  }
  return entries
}

async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program])
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!)
}

const found = (pattern: string, cwd: string): Promise<string[]> =>
  Array.fromAsync(glob(pattern, { cwd }), (path) => join(cwd, path))

export interface AgentGuestOptions {
  readonly name: string
  readonly uuid: string
  readonly image: AgentGuestImage
  /** A path for the socket of its serial console. */
  readonly consolePath: string
}

/** A guest that boots the image. 192 MiB, no disk. */
export function agentGuestXml({ name, uuid, image, consolePath }: AgentGuestOptions): string {
  return `<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>${name}</name><uuid>${uuid}</uuid>
  <memory unit='MiB'>192</memory><vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>${image.kernel}</kernel><initrd>${image.initrd}</initrd>
    <cmdline>console=ttyS0 panic=0 quiet</cmdline>
  </os>
  <features><acpi/></features>
  <pm><suspend-to-mem enabled='yes'/></pm>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <serial type='unix'><source mode='bind' path='${consolePath}'/></serial>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <memballoon model='virtio'/>
    <video><model type='none'/></video>
  </devices>
  <qemu:commandline><qemu:arg value='-device'/><qemu:arg value='pvpanic-pci,addr=0x1e'/></qemu:commandline>
</domain>`
}

/**
 * Has the guest's console execute a line, e.g. `kill -9 $(pidof qemu-ga)`, `agent &`, `echo c > /proc/sysrq-trigger`. Returns once
 * the console has echoed it: who hangs up earlier loses what the serial line has not swallowed yet.
 */
export async function tellConsole(consolePath: string, line: string): Promise<void> {
  const socket = createConnection(consolePath)
  const done = Promise.withResolvers<void>()
  let output = ''
  socket
    .once('error', done.reject)
    .once('connect', () => socket.write(`${line}\n`))
    .setTimeout(CONSOLE_PATIENCE_MS, () => done.reject(new Error(`The console did not echo "${line}": ${output}`)))
    .on('data', (bytes) => {
      output += bytes.toString()
      if (output.includes(line)) done.resolve()
    })
  try {
    await done.promise
  } finally {
    socket.destroy()
  }
}
