import process from 'node:process'

import type { SystemClock } from '../core/clock.ts'
import { errorCode, errorMessage } from '../core/errors.ts'
import { exitCodeOfError } from './exit-code.ts'
import { loadServer } from './load-server.ts'
import { processClock } from './process-clock.ts'
import { runCli } from './run.ts'
import { Signals, type Signal } from './signals.ts'

/** The program: what `bin/mainstay.mjs` loads once it runs on the right Node. */
function say(line: string): void {
  process.stderr.write(`mainstay: ${line}\n`)
}

function clockOfProcess(): SystemClock {
  try {
    return processClock(process.env, say)
  } catch (error) {
    say(errorMessage(error))
    process.exit(exitCodeOfError(error))
  }
}

const clock = clockOfProcess()
const signals = new Signals(process)
const stop = new AbortController()
/** The first one asks, the second one, whichever it is, ends the process as if nobody listened. */
function onStop(signal: Signal): void {
  for (const listening of [interrupt, terminate]) listening[Symbol.dispose]()
  stop.abort(new Error(`The command was stopped by ${signal}.`))
}
let interrupt = signals.on('SIGINT', onStop)
const terminate = signals.on('SIGTERM', onStop)
// Whoever reads our output may have had enough of it (`mainstay … | head`): that is no failure.
process.stdout.on('error', (error) => {
  if (errorCode(error) !== 'EPIPE') throw error
  process.exit()
})

function onHangUpSignal(heard: () => void): Disposable {
  return signals.on('SIGHUP', heard)
}

/** With no listener left the system does what it does to any program: it ends it. */
function interruptEndsAtOnce(): Disposable {
  interrupt[Symbol.dispose]()
  return { [Symbol.dispose]: () => void (stop.signal.aborted || (interrupt = signals.on('SIGINT', onStop))) }
}

const env: Record<string, string> = {}
for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value

/**
 * A command lives until it has answered. What it waits for may not keep the process: a deadline's timer does not, and
 * neither does somebody who is not there yet. Without this Node would leave with 13, "unsettled top-level await".
 */
const answered = new AbortController()
const alive = clock.sleep(Number.POSITIVE_INFINITY, { signal: answered.signal }).catch(() => undefined)
process.exitCode = await runCli(process.argv.slice(2), {
  process: { stdout: process.stdout, stderr: process.stderr, env },
  clock,
  signal: stop.signal,
  interruptEndsAtOnce,
  // To a server it means one thing, to a command that holds something another.
  onReload: onHangUpSignal,
  onHangUp: onHangUpSignal,
  loadServer,
})
answered.abort()
await alive
