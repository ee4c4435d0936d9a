import { existsSync } from 'node:fs'

import { errorMessage } from '../../core/errors.ts'
import { toJson } from '../../core/json.ts'
import { fillIn } from '../provider/command/hook-environment.ts'
import { HookFailedError, runHook, type HookCommand } from '../provider/command/run-hook.ts'
import { SpawnFailError } from './errors.ts'
import type { Hook } from './options.ts'

/** What a hook is for. */
export type HookPurpose = 'spawn' | 'terminate' | 'list'

/** Which machine a hook is run for. */
export interface HookSubject {
  readonly group: number
  readonly ip?: string | undefined
  readonly name?: string | undefined
}

/**
 * Runs a hook to its end.
 *
 * @returns what it printed, both outputs in their order; of a list the standard output alone, whole
 * @throws SpawnFailError with the output when it failed or took longer than `timeoutMs`; the signal's reason
 */
export type RunVmmHook = (
  command: HookCommand,
  options: {
    readonly what: HookPurpose
    readonly env: Readonly<Record<string, string>>
    readonly timeoutMs: number
    readonly signal: AbortSignal
  },
) => Promise<string>

/** How long a hook that is told to end has for it. */
const KILL_GRACE_MS = 5_000

/** A list of machines is read whole or not at all. */
const MAX_LIST_BYTES = 16 * 1024 * 1024

export const runVmmHook: RunVmmHook = async (command, { what, env, timeoutMs, signal }) => {
  try {
    const whole = what === 'list' ? { wholeOutputBytes: MAX_LIST_BYTES } : {}
    const options = { name: what, timeoutMs, killGraceMs: KILL_GRACE_MS, signal, env, ...whole }
    const { output, stdout } = await runHook(command, options)
    return what === 'list' ? stdout : output
  } catch (error) {
    if (!(error instanceof HookFailedError)) throw error
    throw new SpawnFailError(errorMessage(error), { cause: error, output: error.output })
  }
}

/**
 * The command of a hook: a playbook is handed to ansible, anything else is run as it is, and `${MAINSTAY_VM_IP}` and the like
 * are filled in.
 *
 * Source: vm-pool.md A8.
 *
 * @throws SpawnFailError when the group has none, or its file does not exist
 */
export function hookCommand(
  hook: Hook | null | undefined,
  what: HookPurpose,
  { group, ip, name }: HookSubject,
): { readonly command: HookCommand; readonly env: Readonly<Record<string, string>> } {
  const [program, ...args] = typeof hook === 'string' ? [hook] : (hook ?? [])
  if (program === undefined || program === '') {
    throw new SpawnFailError(`Group ${group} has no ${what} hook: set ${what}_playbook of the group.`)
  }
  if ((typeof hook === 'string' || program.includes('/')) && !existsSync(program)) {
    throw new SpawnFailError(`The ${what} hook ${program} of group ${group} does not exist: check ${what}_playbook.`)
  }
  const env = hookEnvironment({ group, ip, name })
  const filled = fillIn([program, ...args], env)
  if (!/\.ya?ml$/.test(program)) return { command: filled, env }
  const vars = ip === undefined ? [] : [`--extra-vars=${toJson({ copr_task: { ip, vm_name: name } })}`]
  return { command: ['ansible-playbook', '-v', '-c', 'ssh', ...filled, ...vars], env }
}

function hookEnvironment({ group, ip = '', name = '' }: HookSubject): Record<string, string> {
  return { MAINSTAY_VM_NAME: name, MAINSTAY_VM_IP: ip, MAINSTAY_VM_GROUP: String(group), MAINSTAY_VM_DATA: '{}' }
}
