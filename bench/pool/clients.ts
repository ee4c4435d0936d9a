import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import type { PairsOptions } from './pairs.ts'
import type { Place } from './place.ts'

const CLIENT = fileURLToPath(new URL('client-process.ts', import.meta.url))

/** Pairs per second of several processes that work at the same time. */
export async function pairsOfProcesses(
  place: Place,
  {
    processes,
    workers,
    owners,
    durationMs,
  }: { processes: number; workers: number; owners: number; durationMs: number },
): Promise<number> {
  const optionsOf = (index: number): PairsOptions => ({
    owners,
    durationMs,
    workers,
    first: index * workers,
    of: processes * workers,
  })
  const children = Array.from({ length: processes }, (_, index) =>
    fork(CLIENT, [place, JSON.stringify(optionsOf(index))], { execArgv: [] }),
  )
  try {
    await Promise.all(children.map(message))
    for (const child of children) child.send('go')
    const done = (await Promise.all(children.map(message))) as { pairs: number; elapsedMs: number }[]
    return done.reduce((sum, { pairs, elapsedMs }) => sum + pairs / (elapsedMs / 1000), 0)
  } finally {
    for (const child of children) if (child.exitCode === null) child.kill()
  }
}

async function message(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`A client ended with ${String(code)}.`)
  })
  const [said] = (await Promise.race([once(child, 'message'), ended])) as [unknown]
  ended.catch(() => undefined)
  return said
}
