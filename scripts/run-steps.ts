import { spawn } from 'node:child_process'

/** One command of a check: a program of `node_modules/.bin` (npm puts it on PATH) with its arguments. */
export interface Step {
  readonly title: string
  readonly command: readonly [string, ...string[]]
  readonly env?: Readonly<Record<string, string>>
}

export interface StepOutcome {
  readonly title: string
  readonly code: number
  /** The last line it printed on standard output. */
  readonly lastLine: string
}

/**
 * Runs the steps one after the other and stops at the first that fails.
 *
 * @returns the exit code of the step that failed, or 0
 */
export async function runSteps(steps: readonly Step[]): Promise<number> {
  for (const step of steps) {
    const { code } = await runStep(step)
    if (code !== 0) return code
  }
  return 0
}

/** Runs one step. Its output is passed on as it comes; it finds no standard input. */
export async function runStep({ title, command: [program, ...args], env }: Step): Promise<StepOutcome> {
  process.stdout.write(`\n== ${title}\n`)
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...colours(), ...process.env, ...env },
  })
  let tail = ''
  child.stdout.on('data', (chunk: Buffer) => {
    process.stdout.write(chunk)
    tail = (tail + chunk.toString()).slice(-4096)
  })
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exitCode) => resolve(exitCode ?? 1))
  })
  if (code !== 0) process.stdout.write(`\n${title} failed (exit ${code})\n`)
  return { title, code, lastLine: tail.trimEnd().split('\n').at(-1) ?? '' }
}

/** A program that prints into our pipe does not see the terminal behind it. */
function colours(): Record<string, string> {
  return process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}
}
