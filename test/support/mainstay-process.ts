import { fileURLToPath } from 'node:url'

import { waitUntil } from '../real/lab/wait-until.ts'
import { type Ended, type ManagedProcess, startProgram } from './managed-process.ts'

const PROGRAM = fileURLToPath(new URL('../../packages/mainstay/bin/mainstay.mjs', import.meta.url))

/** Starts `mainstay …` as a user does; it may be any command. */
export async function startMainstay(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ManagedProcess> {
  return await startProgram([process.execPath, PROGRAM, ...args], env)
}

/** Runs a command of the program to its end, which must come within `timeoutMs`. */
export async function runMainstay(
  args: readonly string[],
  {
    timeoutMs = 60_000,
    env = {},
  }: { readonly timeoutMs?: number; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  await using command = await startMainstay(args, env)
  await waitUntil(() => !command.alive, { timeoutMs, what: `the end of "mainstay ${args.join(' ')}"` })
  return await command.ended()
}
