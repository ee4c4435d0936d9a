import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { connectLibvirt } from '@mainstay/libvirt-rpc'
import type { PrivateLibvirtd } from './private-libvirtd.ts'
import { waitUntil } from './wait-until.ts'

export interface VirshEvents extends AsyncDisposable {
  /** What virsh has printed about a domain, in order: `lifecycle: Stopped Failed`, `reboot`, … */
  of(domainName: string): readonly string[]
}

const line = /^event '(?<event>[^']+)' for domain '(?<domain>[^']+)'(?:: (?<detail>.*))?$/

/** `virsh event --all`, running until disposal: the oracle for events. Returns once virsh listens. */
export async function virshEvents(host: PrivateLibvirtd): Promise<VirshEvents> {
  const seen: { readonly domain: string; readonly text: string }[] = []
  // Without stdbuf its lines would wait in a buffer until there are four kilobytes.
  const virsh = spawn('stdbuf', ['-oL', 'virsh', '-r', '-c', host.uri, 'event', '--all', '--loop'], {
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = new Promise((resolve) => virsh.once('exit', resolve))
  createInterface({ input: virsh.stdout }).on('line', (text) => {
    const { event, domain, detail } = line.exec(text)?.groups ?? {}
    if (domain !== undefined) seen.push({ domain, text: detail === undefined ? `${event}` : `${event}: ${detail}` })
  })
  const events: VirshEvents = {
    of: (domainName) => seen.filter(({ domain }) => domain === domainName).map(({ text }) => text),
    async [Symbol.asyncDispose]() {
      virsh.kill('SIGKILL')
      await ended
    },
  }
  await untilListening(host, events)
  return events
}

/** virsh does not say when it has registered, so something is made to happen until it tells of it. */
async function untilListening(host: PrivateLibvirtd, events: VirshEvents): Promise<void> {
  const marker = 'virsh-listens'
  const xml = `<domain type='qemu'><name>${marker}</name><memory>1024</memory><os><type>hvm</type></os></domain>`
  await using connection = await connectLibvirt({ socketPath: host.socketPath })
  await waitUntil(
    async () => {
      await connection.undefine(await connection.defineXml(xml))
      return events.of(marker).length > 0
    },
    { timeoutMs: 10_000, what: 'the first event that virsh prints', pollMs: 50 },
  )
}
