import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeBaseline } from '../guard/baseline.ts'
import type { Finding } from '../report/finding.ts'
import { githubAnnotations } from '../report/github.ts'
import { parseJsonLines } from '../report/json-lines.ts'
import { junitXml } from '../report/junit.ts'
import { summaryOf } from '../report/summary.ts'
import { textOf } from '../report/text.ts'
import { findPolluters } from './bisect.ts'
import { runFile } from './runner.ts'
import type { RunnerName } from './runner.ts'

const usage = `mockguard bisect FILE TEST [--runner vitest|jest|node]    which earlier test of FILE changes what TEST does
mockguard --write-baseline [FILE] -- COMMAND …       run COMMAND, tolerate what it leaves today (default mockguard-baseline.json)
mockguard report FILE [--format text|github|junit|summary] [--output FILE]    print JSON lines in another form`

/** The command line; `env` is given to the runners in addition. Returns the exit code: 0 done, 1 failed or something was found, 2 wrong usage. */
export async function main(
  args: readonly string[],
  print: (text: string) => void = (text) => void process.stdout.write(`${text}\n`),
  env: NodeJS.ProcessEnv = {},
): Promise<number> {
  const split = args.indexOf('--')
  const command = split < 0 ? [] : args.slice(split + 1)
  const { values, positionals } = parseArgs({
    args: split < 0 ? [...args] : args.slice(0, split),
    allowPositionals: true,
    strict: false,
    options: {
      'write-baseline': { type: 'boolean' },
      runner: { type: 'string' },
      format: { type: 'string', default: 'text' },
      output: { type: 'string' },
      root: { type: 'string' },
    },
  })
  const root = typeof values['root'] === 'string' ? values['root'] : process.cwd()
  if (values['write-baseline'] === true && command.length > 0) {
    return baseline(join(root, positionals[0] ?? 'mockguard-baseline.json'), command, print)
  }
  const [verb, file, ...rest] = positionals
  if (verb === 'bisect' && file !== undefined && rest.length > 0) {
    const runner = values['runner'] as RunnerName | undefined
    return bisect({ root, file, victim: rest.join(' '), runner, env }, print)
  }
  if (verb === 'report' && file !== undefined && existsSync(file)) {
    const text = formatted(parseJsonLines<Finding>(readFileSync(file, 'utf8')), String(values['format']))
    if (typeof values['output'] === 'string') writeFileSync(values['output'], text)
    else print(text)
    return 0
  }
  print(usage)
  return 2
}

function formatted(findings: readonly Finding[], format: string): string {
  if (format === 'github') return githubAnnotations(findings).join('\n')
  if (format === 'junit') return junitXml(findings)
  if (format === 'summary') return summaryOf(findings, [])
  return textOf(findings)
}

async function baseline(file: string, command: readonly string[], print: (text: string) => void): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'mockguard-baseline-'))
  const report = join(folder, 'report.jsonl')
  const [program = '', ...args] = command
  // Warn mode: everything is found and nothing fails. An older baseline must not hide what it tolerates.
  const env = {
    ...process.env,
    MOCKGUARD: 'warn',
    MOCKGUARD_REPORT: report,
    MOCKGUARD_BASELINE: join(folder, 'none.json'),
  }
  const child = spawn(program, args, { stdio: ['inherit', 'inherit', 'ignore'], env })
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve(status ?? 1))
  })
  const findings = existsSync(report) ? parseJsonLines<Finding>(readFileSync(report, 'utf8')) : []
  rmSync(folder, { recursive: true, force: true })
  const { leaks } = writeBaseline(file, findings)
  print(`${file}: ${leaks.length} dangling mocks are tolerated from now on`)
  return code
}

async function bisect(
  options: { root: string; file: string; victim: string; runner: RunnerName | undefined; env: NodeJS.ProcessEnv },
  print: (text: string) => void,
): Promise<number> {
  const { root, file, victim } = options
  const runner = options.runner ? { runner: options.runner } : {}
  // The guard itself is off: what is looked for is what the tests do to each other without it.
  const env = { ...options.env, MOCKGUARD: 'off' }
  const wanted = victim.replaceAll(' > ', ' ')
  const all = await runFile({ root, file, env, ...runner })
  const at = all.findIndex((test) => test.name === wanted)
  if (at < 0) {
    print(`${file} has no test "${victim}". It has:\n${all.map((test) => `  ${test.name}`).join('\n')}`)
    return 2
  }
  const verdict = await findPolluters(
    all.slice(0, at).map((test) => test.name),
    async (before) => {
      const results = await runFile({ root, file, only: [...before, wanted], env, ...runner })
      return results.find((test) => test.name === wanted)?.passed ?? false
    },
  )
  const told = (passed: boolean): string => (passed ? 'passes' : 'fails')
  print(
    `"${victim}" ${told(verdict.alone)} alone and ${told(verdict.withAll)} after the ${at} tests before it (${verdict.runs} runs)`,
  )
  if (verdict.polluters.length === 0) {
    print('No earlier test of this file changes it.')
    return 0
  }
  print(`It depends on:\n${verdict.polluters.map((name) => `  ${name}`).join('\n')}`)
  return 1
}
