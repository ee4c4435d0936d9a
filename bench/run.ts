import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'

/** One figure of a benchmark. */
export interface BenchResult {
  readonly metric: string
  readonly params: Readonly<Record<string, string | number>>
  readonly value: number
  readonly unit: string
  /** What the figure is held against, measured in the same run. */
  readonly baseline?: { readonly name: string; readonly value: number }
  /** `value` divided by the baseline's. */
  readonly ratio?: number
}

export interface BenchOptions {
  /** Whether only the closing line is read; a benchmark may then say less. */
  readonly json: boolean
  /** Tells how far it is, on standard error. */
  readonly log: (line: string) => void
}

/** What `bench/NAME.ts` exports. */
export interface Bench {
  run(options: BenchOptions): Promise<readonly BenchResult[]>
}

const NAMES = [
  'api',
  'recovery',
  'journal',
  'store',
  'pool',
  'events',
  'testkit',
  'mockguard',
  'simulation',
  'dashboard',
  'libvirt-rpc',
] as const

const USAGE = `usage: npm run -s bench -- NAME [--json]\nNAME is one of ${NAMES.join(', ')}\n`

/** Runs one benchmark; the last line on standard output is one JSON object. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const [name] = positionals
  if (positionals.length !== 1 || !NAMES.some((each) => each === name)) {
    process.stderr.write(USAGE)
    return 2
  }
  const module = new URL(`${name}.ts`, import.meta.url)
  if (!existsSync(module)) {
    process.stderr.write(`There is no benchmark ${name} yet.\n`)
    return 1
  }
  const bench = (await import(module.href)) as Bench
  const at = new Date().toISOString()
  const results = await bench.run({
    json: values.json,
    log: (line) => void process.stderr.write(`${line}\n`),
  })
  if (!values.json) for (const result of results) process.stdout.write(`${describe(result)}\n`)
  const machine = { cpus: availableParallelism(), node: process.versions.node }
  process.stdout.write(`${JSON.stringify({ bench: name, at, machine, results })}\n`)
  return 0
}

function describe({ metric, params, value, unit, baseline, ratio }: BenchResult): string {
  const where = Object.entries(params).map(([key, each]) => `${key}=${each}`)
  const beside = baseline === undefined ? '' : `, ${baseline.name}: ${baseline.value}`
  const times = ratio === undefined ? '' : ` (${ratio} times)`
  return `${metric} {${where.join(', ')}}: ${value} ${unit}${beside}${times}`
}

process.exitCode = await main()
