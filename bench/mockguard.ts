import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One measured figure; `baseline` is the same work without mockguard, in the same run. */
export interface Result {
  readonly metric: string
  readonly params: Readonly<Record<string, string | number>>
  readonly value: number
  readonly unit: string
  readonly baseline?: { readonly name: string; readonly value: number }
  readonly ratio?: number
}

const repository = fileURLToPath(new URL('..', import.meta.url))
const rounds = 3

interface Suite {
  readonly files: number
  readonly testsPerFile: number
  readonly modules: number
}

interface Timing {
  readonly totalMs: number
  /** User and system time of the runner and all its workers: what a busy machine disturbs least. */
  readonly cpuMs: number
  /** What mockguard says it spent around tests and at the ends of files. */
  readonly spentMs: number
}

/**
 * The same generated suite with and without mockguard, in turns, so that a busy machine disturbs both alike. The figure
 * is the median of the rounds. Prints progress through `log`.
 */
export async function run(options: { json: boolean; log: (line: string) => void }): Promise<Result[]> {
  const results: Result[] = []
  const trivial = await compare({ files: 20, testsPerFile: 50, modules: 10 }, options.log)
  for (const [time, pick] of [
    ['cpu', (timing: Timing) => timing.cpuMs],
    ['wall', (timing: Timing) => timing.totalMs],
  ] as const) {
    const [plain, guarded] = [pick(trivial.plain), pick(trivial.guarded)]
    results.push({
      metric: 'suite_overhead_ratio',
      params: { tests: 1_000, files: 20, time },
      value: round(guarded / plain - 1, 4),
      unit: 'share',
      baseline: { name: 'the same suite without mockguard, ms', value: round(plain, 1) },
      ratio: round(guarded / plain, 4),
    })
  }
  for (const modules of [100, 500, 2_000]) {
    const few = await compare({ files: 1, testsPerFile: 1, modules }, options.log)
    const many = await compare({ files: 1, testsPerFile: 401, modules }, options.log)
    const perTest = (one: { guarded: Timing; plain: Timing }, other: { guarded: Timing; plain: Timing }): number =>
      (other.guarded.spentMs - one.guarded.spentMs) / 400
    results.push(
      { metric: 'overhead_ms_per_test', params: { modules }, value: round(perTest(few, many), 4), unit: 'ms' },
      { metric: 'overhead_ms_per_file', params: { modules }, value: round(few.guarded.spentMs, 2), unit: 'ms' },
    )
  }
  return results
}

async function compare(suite: Suite, log: (line: string) => void): Promise<{ guarded: Timing; plain: Timing }> {
  const folder = mkdtempSync(join(tmpdir(), 'mockguard-bench-'))
  try {
    generate(folder, suite)
    const guarded: Timing[] = []
    const plain: Timing[] = []
    // One round of each to fill the caches.
    await time(folder, 'off')
    await time(folder, 'fail')
    for (let at = 0; at < rounds; at += 1) {
      plain.push(await time(folder, 'off'))
      guarded.push(await time(folder, 'fail'))
    }
    const told = { guarded: middle(guarded), plain: middle(plain) }
    log(
      `${suite.files} files, ${suite.files * suite.testsPerFile} tests, ${suite.modules} modules: ` +
        `${told.plain.totalMs.toFixed(0)} ms without, ${told.guarded.totalMs.toFixed(0)} ms with; processor ${told.plain.cpuMs} and ${told.guarded.cpuMs} ms; ${told.guarded.spentMs.toFixed(2)} ms spent in checks`,
    )
    return told
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function generate(folder: string, suite: Suite): void {
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'))
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  write('package.json', '{ "type": "module" }')
  write(
    'vitest.config.mjs',
    `import { mockguard } from '@mainstay/mockguard'\nexport default { plugins: process.env.MOCKGUARD === 'off' ? [] : [mockguard()], test: { maxWorkers: 2 } }\n`,
  )
  for (let at = 0; at < suite.modules; at += 1) {
    const members = `send() { return ${at} }, nested: { call() { return ${at} } }`
    write(
      `src/m${at}.js`,
      `export const svc = { ${members} }\nexport class Svc { static make() {} run() { return ${at} } }\nexport function shout(text) { return text + ${at} }\n`,
    )
  }
  const imports = Array.from({ length: suite.modules }, (_, at) => `import * as m${at} from './m${at}.js'`).join('\n')
  const list = Array.from({ length: suite.modules }, (_, at) => `m${at}.svc`).join(', ')
  write('src/all.js', `${imports}\nexport const count = [${list}].length\n`)
  for (let file = 0; file < suite.files; file += 1) {
    const tests = Array.from(
      { length: suite.testsPerFile },
      (_, at) => `test('adds ${at}', () => { expect(1 + ${at}).toBe(${at + 1}) })`,
    )
    write(
      `test/f${file}.test.js`,
      `import { expect, test } from 'vitest'\nimport { count } from '../src/all.js'\ntest.skipIf(count < 0)('never', () => {})\n${tests.join('\n')}\n`,
    )
  }
}

async function time(folder: string, mode: 'off' | 'fail'): Promise<Timing> {
  const started = performance.now()
  const cpuBefore = childrenCpuMs()
  const spool = join(folder, 'output.txt')
  const program = join(repository, 'node_modules/vitest/vitest.mjs')
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|MOCKGUARD|NODE_ENV)/.test(name)),
  )
  const child = spawn(process.execPath, [program, 'run', '--reporter=dot'], {
    cwd: folder,
    env: { ...env, MOCKGUARD: mode, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve(status ?? 1))
  })
  const totalMs = performance.now() - started
  const cpuMs = childrenCpuMs() - cpuBefore
  writeFileSync(spool, output)
  if (code !== 0) throw new Error(`the suite failed with ${mode}:\n${readFileSync(spool, 'utf8').slice(-2_000)}`)
  const spent = /looked at in ([\d.]+) ms/.exec(output)?.[1]
  return { totalMs, cpuMs, spentMs: Number(spent ?? 0) }
}

/** Processor time of children that have ended and their children, in steps of a clock tick (10 ms). Linux only. */
function childrenCpuMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[13]) + Number(fields[14])) * 10
}

function middle(timings: readonly Timing[]): Timing {
  const by = (pick: (timing: Timing) => number): number =>
    timings.map(pick).toSorted((a, b) => a - b)[Math.floor(timings.length / 2)]!
  return {
    totalMs: by((timing) => timing.totalMs),
    cpuMs: by((timing) => timing.cpuMs),
    spentMs: by((timing) => timing.spentMs),
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
