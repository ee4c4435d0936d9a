/**
 * Loaded into `mainstay serve` by `--import`: ends the process with SIGKILL at one of its own crash points.
 *
 * A crash point is a message of the journal's diagnostics channels: an entry or a status is on disk and nobody has
 * been told, an act is about to begin, an act is over and nothing of it is on disk. Each is written to CRASH_LOG, so a
 * run without a limit enumerates them.
 */
import { subscribe } from 'node:diagnostics_channel'
import { appendFileSync } from 'node:fs'

const at = Number(process.env['CRASH_AT'] ?? Number.POSITIVE_INFINITY)
const log = process.env['CRASH_LOG']
let count = 0

for (const name of ['recorded', 'acting', 'acted']) {
  subscribe(`mainstay.journal.${name}`, (message) => {
    count += 1
    if (log !== undefined) appendFileSync(log, `${count} ${name} ${JSON.stringify(message)}\n`)
    if (count === at) process.kill(process.pid, 'SIGKILL')
  })
}
