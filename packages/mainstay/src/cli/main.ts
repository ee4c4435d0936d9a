import process from 'node:process'

import { SystemClock } from '../core/clock.ts'
import { errorCode } from '../core/errors.ts'
import { loadServer } from './load-server.ts'
import { runCli } from './run.ts'

/** The program: what `bin/mainstay.mjs` loads once it runs on the right Node. */
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The first one asks, the second one ends the process as if nobody listened.
  process.once(signal, () => stop.abort(new Error(`The command was stopped by ${signal}.`)))
}
// Whoever reads our output may have had enough of it (`mainstay … | head`): that is no failure.
process.stdout.on('error', (error) => {
  if (errorCode(error) !== 'EPIPE') throw error
  process.exit()
})

const env: Record<string, string> = {}
for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value

process.exitCode = await runCli(process.argv.slice(2), {
  process: { stdout: process.stdout, stderr: process.stderr, env },
  clock: new SystemClock(),
  signal: stop.signal,
  onReload: (reload) => {
    process.on('SIGHUP', reload)
    return { [Symbol.dispose]: () => void process.off('SIGHUP', reload) }
  },
  loadServer,
})
