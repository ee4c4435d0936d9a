import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

import type { BenchResult } from './run.ts'

/** Five-step workflows per second beside plain inserts with the same number of transactions, in the same run. */
export async function run({ log }: { json: boolean; log: (line: string) => void }): Promise<BenchResult[]> {
  const results: BenchResult[] = []
  // In a process of its own, as a server has one store and never another beside it.
  for (const kind of ['sqlite', 'postgres']) {
    const script = fileURLToPath(new URL('journal-store.ts', import.meta.url))
    const child = spawn(process.execPath, [script, kind], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number | null]>])
    if (code !== 0) throw new Error(`The journal on ${kind} could not be measured: it ended with ${String(code)}.`)
    results.push(...(JSON.parse(output) as BenchResult[]))
    log(`${kind} is done`)
  }
  return results
}
