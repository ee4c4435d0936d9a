import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export type RunnerName = 'vitest' | 'jest'

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

/** The program of the project's own runner. Throws when the project has none. */
export function runnerProgram(
  root: string,
  runner?: RunnerName,
): { readonly name: RunnerName; readonly program: string } {
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
  const { name, program } = runnerProgram(options.root, options.runner)
  const folder = await mkdtemp(join(tmpdir(), 'mockguard-run-'))
  const output = join(folder, 'report.json')
  const pattern = options.only && `^(${options.only.map(escapePattern).join('|')})$`
  const args =
    name === 'vitest'
      ? ['run', options.file, '--reporter=json', `--outputFile=${output}`]
      : [options.file, '--json', `--outputFile=${output}`, '--runInBand']
  if (pattern !== undefined) args.push('-t', pattern)
  try {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: options.root,
      stdio: 'ignore',
      env: { ...process.env, ...options.env },
      signal: AbortSignal.timeout(options.timeoutMs ?? 120_000),
    })
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', () => resolve())
    })
    const report = JSON.parse(await readFile(output, 'utf8')) as JsonReport
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

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
