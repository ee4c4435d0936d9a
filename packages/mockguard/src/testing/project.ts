import { spawn } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  existsSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Finding } from '../report/finding.ts'
import { parseJsonLines } from '../report/json-lines.ts'

/** `jest-esm` is Jest with its support of native ES modules switched on. */
export type Runner = 'vitest-4' | 'vitest-5' | 'jest' | 'jest-esm' | 'node:test'

const repository = fileURLToPath(new URL('../../../../', import.meta.url))
const modules = join(repository, 'node_modules')
const packageFolder = join(repository, 'packages/mockguard')

const programs: Record<Exclude<Runner, 'node:test' | 'jest-esm'>, string> = {
  'vitest-4': join(packageFolder, 'node_modules/vitest/vitest.mjs'),
  'vitest-5': join(modules, 'vitest/vitest.mjs'),
  jest: join(modules, 'jest/bin/jest.js'),
}

export interface TestOutcome {
  readonly name: string
  readonly file: string
  readonly status: 'passed' | 'failed' | 'skipped'
  readonly message: string
}

export interface RunOutcome {
  readonly code: number
  readonly output: string
  readonly findings: readonly Finding[]
  readonly tests: readonly TestOutcome[]
  /** The files that failed as files, by name. */
  readonly failedFiles: readonly string[]
  readonly durationMs: number
}

/** A small project in a temporary folder, run by a real runner in a process of its own. */
export class Project implements Disposable {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'mockguard-project-')))

  constructor(files: Readonly<Record<string, string>>) {
    symlinkSync(modules, join(this.folder, 'node_modules'))
    this.write(files)
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      const file = join(this.folder, name)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
    }
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  async run(
    runner: Runner,
    options: { args?: readonly string[]; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
  ): Promise<RunOutcome> {
    const report = join(this.folder, 'mockguard-report.jsonl')
    const results = join(this.folder, 'results.json')
    for (const file of [report, results]) rmSync(file, { force: true })
    const started = performance.now()
    const { code, output } = await execute(command(runner, results, options.args ?? []), {
      cwd: this.folder,
      timeoutMs: options.timeoutMs ?? 90_000,
      env: { ...cleanEnv(), MOCKGUARD_REPORT: report, RESULTS_FILE: results, ...options.env },
    })
    const durationMs = performance.now() - started
    const findings = existsSync(report) ? parseJsonLines<Finding>(readFileSync(report, 'utf8')) : []
    if (!existsSync(results)) throw new Error(`${runner} wrote no results (exit code ${code}):\n${output.slice(-4000)}`)
    const text = readFileSync(results, 'utf8')
    const read = runner === 'node:test' ? nodeOutcomes(text, this.folder) : jsonOutcomes(text, this.folder)
    return { code, output, findings, durationMs, ...read }
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function command(runner: Runner, results: string, args: readonly string[]): string[] {
  if (runner === 'node:test') {
    const reporter = join(packageFolder, 'fixtures/node-reporter.mjs')
    return [
      '--test',
      '--import',
      '@mainstay/mockguard/node-test',
      `--test-reporter=${reporter}`,
      `--test-reporter-destination=stdout`,
      ...args,
    ]
  }
  const jest = [programs.jest, '--json', `--outputFile=${results}`, '--colors=false', ...args]
  if (runner === 'jest') return jest
  if (runner === 'jest-esm') return ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', ...jest]
  return [programs[runner], 'run', '--reporter=json', '--reporter=default', `--outputFile.json=${results}`, ...args]
}

/** The environment of a run must not carry the runner that runs these tests. */
function cleanEnv(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(VITEST|JEST|NODE_TEST|TEST$|NODE_ENV|MOCKGUARD|GITHUB_ACTIONS|NODE_OPTIONS|FORCE_COLOR)/.test(name),
  )
  return { ...Object.fromEntries(kept), NO_COLOR: '1' }
}

export async function execute(
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; timeoutMs: number },
): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, args, { cwd: options.cwd, env: options.env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs)
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (status, signal) => resolve(status ?? (signal === 'SIGKILL' ? 137 : 1)))
    })
    return { code, output }
  } finally {
    clearTimeout(timer)
  }
}

interface JsonReport {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[]
      readonly title: string
      readonly status: string
      readonly failureMessages?: readonly string[]
    }[]
  }[]
}

function jsonOutcomes(text: string, folder: string): Pick<RunOutcome, 'tests' | 'failedFiles'> {
  const report = JSON.parse(text) as JsonReport
  const tests = report.testResults.flatMap((file) =>
    file.assertionResults.map((one): TestOutcome => ({
      name: [...one.ancestorTitles, one.title].filter((title) => title !== '').join(' > '),
      file: file.name.replace(`${folder}/`, ''),
      status: one.status === 'passed' ? 'passed' : one.status === 'failed' ? 'failed' : 'skipped',
      message: (one.failureMessages ?? []).join('\n'),
    })),
  )
  const failed = report.testResults
    .filter((file) => file.status === 'failed')
    .map((file) => file.name.replace(`${folder}/`, ''))
  return { tests, failedFiles: failed }
}

interface NodeEvent {
  readonly name: string
  readonly nesting: number
  readonly file?: string
  readonly passed: boolean
  readonly skipped: boolean
  readonly suite: boolean
  readonly message: string
}

/** Subtests are told before their parents, with their depth: the names are put together from that. */
function nodeOutcomes(text: string, folder: string): Pick<RunOutcome, 'tests' | 'failedFiles'> {
  const tests: TestOutcome[] = []
  let open: { nesting: number; tests: { name: string; event: NodeEvent }[] }[] = []
  for (const event of parseJsonLines<NodeEvent>(text)) {
    const inner = open.filter((level) => level.nesting === event.nesting + 1).flatMap((level) => level.tests)
    open = open.filter((level) => level.nesting <= event.nesting)
    const all = [
      ...inner.map((one) => ({ ...one, name: `${event.name} > ${one.name}` })),
      ...(event.suite ? [] : [{ name: event.name, event }]),
    ]
    if (event.nesting === 0) tests.push(...all.map((one) => outcomeOf(one.name, one.event, folder)))
    else open.push({ nesting: event.nesting, tests: all })
  }
  const isFile = (test: TestOutcome): boolean => test.name.endsWith('.js') || test.name === test.file
  const failedFiles = new Set(
    tests
      .filter((test) => test.status === 'failed')
      .map((test) => (isFile(test) ? test.name.replace(`${folder}/`, '') : test.file)),
  )
  return { tests: tests.filter((test) => !isFile(test)), failedFiles: [...failedFiles] }
}

function outcomeOf(name: string, event: NodeEvent, folder: string): TestOutcome {
  const file = (event.file ?? '').replace(`${folder}/`, '')
  return { name, file, status: event.skipped ? 'skipped' : event.passed ? 'passed' : 'failed', message: event.message }
}
