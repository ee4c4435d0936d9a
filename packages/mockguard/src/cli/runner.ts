import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseJsonLines } from '../report/json-lines.ts'

/** `node` is node:test, which every project has: it is used only when it is asked for. */
export type RunnerName = 'vitest' | 'jest' | 'node'

export interface TestResult {
  readonly name: string
  readonly passed: boolean
}

interface JsonReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly ancestorTitles: readonly string[]
      readonly title: string
      readonly status: string
    }[]
  }[]
}

/** The project's own runner. Throws when the project has none. */
export function runnerOf(
  root: string,
  runner?: RunnerName,
): { readonly name: 'node' } | { readonly name: 'vitest' | 'jest'; readonly program: string } {
  if (runner === 'node') return { name: 'node' }
  const require = createRequire(join(root, 'package.json'))
  for (const name of runner ? [runner] : (['vitest', 'jest'] as const)) {
    try {
      const folder = dirname(require.resolve(`${name}/package.json`))
      return { name, program: join(folder, name === 'vitest' ? 'vitest.mjs' : 'bin/jest.js') }
    } catch {
      // Not installed here: the next one, or the error below.
      continue
    }
  }
  throw new Error(`neither vitest nor jest is installed for ${root}: install one, or say which with --runner`)
}

/** Runs one file, only the named tests of it when given, and returns how each went, in order. */
export async function runFile(options: {
  root: string
  file: string
  only?: readonly string[]
  runner?: RunnerName
  timeoutMs?: number
  env?: NodeJS.ProcessEnv
}): Promise<TestResult[]> {
  const folder = await mkdtemp(join(tmpdir(), 'mockguard-run-'))
  const output = join(folder, 'report.json')
  const pattern = options.only && `^(${options.only.map(escapePattern).join('|')})$`
  const runner = runnerOf(options.root, options.runner)
  try {
    const child = spawn(process.execPath, commandOf(runner, options.file, output, pattern), {
      cwd: options.root,
      stdio: 'ignore',
      env: { ...process.env, ...options.env },
      signal: AbortSignal.timeout(options.timeoutMs ?? 120_000),
    })
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', () => resolve())
    })
    const text = await readFile(output, 'utf8')
    if (runner.name === 'node') return parseJsonLines<TestResult>(text)
    const report = JSON.parse(text) as JsonReport
    return report.testResults.flatMap((file) =>
      file.assertionResults
        .filter(({ status }) => status === 'passed' || status === 'failed')
        .map(({ ancestorTitles, title, status }) => ({
          name: [...ancestorTitles, title].join(' '),
          passed: status === 'passed',
        })),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function commandOf(
  runner: ReturnType<typeof runnerOf>,
  file: string,
  output: string,
  pattern: string | undefined,
): string[] {
  const only = pattern === undefined ? [] : ['-t', pattern]
  if (runner.name === 'vitest') {
    return [runner.program, 'run', file, '--reporter=json', `--outputFile=${output}`, ...only]
  }
  if (runner.name === 'jest') {
    return [runner.program, file, '--json', `--outputFile=${output}`, '--runInBand', ...only]
  }
  return [
    '--test',
    `--test-reporter=${fileURLToPath(new URL('../../bin/node-reporter.cjs', import.meta.url))}`,
    `--test-reporter-destination=${output}`,
    ...(pattern === undefined ? [] : [`--test-name-pattern=/${pattern.replaceAll('/', '\\/')}/`]),
    file,
  ]
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
