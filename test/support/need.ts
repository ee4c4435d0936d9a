import { accessSync, constants, globSync } from 'node:fs'
import { join } from 'node:path'

/** The part of a test's context that is used here. */
export interface Skipping {
  skip(note?: string): unknown
}

/** A program that a test cannot do without. */
export interface Need {
  readonly program: string
  /** The Debian package that brings it. */
  readonly package: string
  /** Where it may be besides `PATH`; may hold `*`. */
  readonly directories?: readonly string[]
}

/** Not on everybody's `PATH`, but servers are there. */
const SERVER_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/**
 * Finds a program, or skips the test with the command that would install it. Where everything is meant to be installed
 * (`npm run test:all` sets `MAINSTAY_TEST_ALL=1`) a missing program is a failure.
 *
 * @returns the absolute path
 */
export function need(ctx: Skipping, wanted: Need): string {
  const path = findProgram(wanted)
  needThat(ctx, path !== undefined, `${wanted.program} not found: apt-get install ${wanted.package}`)
  return path!
}

/** Skips the test, or fails it under `MAINSTAY_TEST_ALL=1`, unless the machine is as the test needs it. */
export function needThat(ctx: Skipping, condition: boolean, reason: string): void {
  if (condition) return
  if (process.env['MAINSTAY_TEST_ALL'] === '1') throw new Error(reason)
  ctx.skip(reason)
}

export function findProgram({ program, directories = [] }: Omit<Need, 'package'>): string | undefined {
  const onPath = (process.env['PATH'] ?? '').split(':').filter((directory) => directory !== '')
  const named = directories.flatMap((directory) => globSync(directory)).sort()
  return [...named.toReversed(), ...onPath, ...SERVER_DIRECTORIES]
    .map((directory) => join(directory, program))
    .find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Missing or not for us: either way it cannot be run, which is all that was asked.
    return false
  }
}
