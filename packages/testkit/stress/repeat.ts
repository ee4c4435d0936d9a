import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/**
 * Runs the kit's own suite again and again while processes that only burn CPU time run beside it.
 *
 *     node stress/repeat.ts --runs 50 --hogs 2
 *
 * Most of the suite waits, so its files run in more workers than there are processors. Prints one line per run; stops
 * at the first red one, whose output it shows, and exits with 1.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '50' },
    hogs: { type: 'string', default: '2' },
    workers: { type: 'string', default: '3' },
    filter: { type: 'string', default: 'packages/testkit/src' },
  },
})
const root = fileURLToPath(new URL('../../../', import.meta.url))
const hogs: ChildProcess[] = Array.from({ length: Number(values.hogs) }, () =>
  spawn(process.execPath, ['-e', 'for (;;) {}'], { stdio: 'ignore' }),
)
process.once('exit', () => {
  for (const hog of hogs) hog.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

for (let run = 1; run <= Number(values.runs); run++) {
  const startedAt = performance.now()
  const { code, output } = await suite()
  const told = output.trim().split('\n').at(-1) ?? ''
  process.stdout.write(
    `run ${run}: ${code === 0 ? 'passed' : 'FAILED'} in ${Math.round((performance.now() - startedAt) / 1000)} s; ${told}\n`,
  )
  if (code !== 0) {
    process.stdout.write(`${output}\n`)
    process.exit(1)
  }
}
process.exit(0)

async function suite(): Promise<{ code: number | null; output: string }> {
  const vitest = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url))
  const child = spawn(
    process.execPath,
    [vitest, 'run', '--project', 'unit', '--maxWorkers', values.workers, values.filter],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve)
  })
  return { code, output }
}
