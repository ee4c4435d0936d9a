import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { createClient, LeaseLostError, type PoolLease } from '../../../packages/mainstay/src/client/index.ts'

/**
 * A client of the pool that works until it is told to stop: takes a machine, works in it alone, gives it back. On standard
 * output a line for each request: `used`, `lost`, `refused CODE: why`, and `SHARED` when somebody else was in the machine too.
 *
 *   node pool-client-process.ts <folder of the machines> <owner> <endpoint>...
 */
const [machines = '', owner = '', ...endpoints] = process.argv.slice(2)
const clients = endpoints.map((endpoint) => createClient({ endpoint, retries: 0, timeoutMs: 10_000 }))
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort())
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const code = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error)

/** Works in the machine: nobody else may be there at the same time. */
async function work(lease: PoolLease): Promise<void> {
  const mark = join(machines, lease.name, 'in-use')
  try {
    await writeFile(mark, `${process.pid}`, { flag: 'wx' })
  } catch (error) {
    if (code(error) === 'EEXIST') say(`SHARED ${lease.name}`)
    // A machine that is gone already was taken away.
    return
  }
  try {
    await sleep(50 + Math.random() * 300, undefined, { signal: lease.signal })
  } finally {
    if (!lease.signal.aborted) await rm(mark, { force: true })
  }
}

for (let turn = 0; !stopping.signal.aborted; turn += 1) {
  const client = clients[turn % clients.length]!
  try {
    const wish = { worker: `client ${process.pid}`, owner, sandbox: `s${turn % 2}`, waitMs: turn % 5 === 0 ? 0 : 8000 }
    await using lease = await client.pools.acquire(turn % 3 === 0 ? { ...wish, arch: 'x86_64' } : wish)
    await work(lease)
    say(lease.signal.aborted ? 'lost' : 'used')
  } catch (error) {
    const lost = error instanceof LeaseLostError || code(error) === 'ABORT_ERR'
    const why = error instanceof Error ? error.message.replaceAll('\n', ' ') : ''
    say(lost ? 'lost' : `refused ${code(error)}: ${why}`)
    await sleep(100)
  }
}
