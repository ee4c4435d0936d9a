import { HookFailedError, runHook, type HookCommand } from '../provider/command/run-hook.ts'
import { CheckNotRunError, PASSED, addressOf, failed, type HealthCheck } from './check.ts'

export interface SshCheckOptions {
  /** The ssh program; another one with the same arguments may stand in for it. */
  readonly program: string
  readonly user: string
  /** Null for what the client configuration says. */
  readonly port: number | null
  /** A client configuration; the user's own unless given. */
  readonly configFile: string | null
  readonly identityFile: string | null
  /** `-o` settings, in this order. */
  readonly settings: readonly string[]
  /** What is run there, by the login shell. */
  readonly command: string
  /** What it must print, and nothing else. */
  readonly expected: string
}

export const DEFAULT_SSH_CHECK: SshCheckOptions = {
  program: 'ssh',
  user: 'root',
  port: 22,
  configFile: null,
  identityFile: null,
  settings: [
    'BatchMode=yes',
    'ConnectTimeout=5',
    // Addresses are used again by machines with other keys, and nothing secret is sent.
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
  ],
  command: 'echo hello',
  expected: 'hello\n',
}

/** A backstop: whoever asks for a check ends it much earlier. */
const LONGEST_MS = 3_600_000

/** How long ssh has to hang up when its time is over. */
const KILL_GRACE_MS = 500

/** ssh's own exit status for a connection that did not come about. */
const CONNECTION_ERROR = 255

/** Logs in to a machine and runs a command there: healthy is status 0 and exactly the expected output. Source: vm-pool.md A8, C7. */
export function sshCheck(options: Partial<SshCheckOptions> = {}): HealthCheck {
  const given = { ...DEFAULT_SSH_CHECK, ...options }
  return async (vm, { signal }) => {
    const limits = { name: 'ssh check', timeoutMs: LONGEST_MS, killGraceMs: KILL_GRACE_MS, env: {}, signal }
    try {
      const { stdout } = await runHook(sshCommand(given, addressOf(vm)), limits)
      return stdout === given.expected ? PASSED : failed(`unexpected output: ${short(stdout)}`)
    } catch (error) {
      if (!(error instanceof HookFailedError)) throw error
      if (error.why === 'missing' || error.why === 'not_started') {
        throw new CheckNotRunError(vm.name, error.message, { cause: error })
      }
      const what = error.exitCode === CONNECTION_ERROR ? 'connection error' : `status ${error.exitCode ?? 'none'}`
      return failed(`${what}: ${short(error.output)}`)
    }
  }
}

/** @param address an IP address, so that nothing in it can be taken for an option */
export function sshCommand(options: SshCheckOptions, address: string): HookCommand {
  const { program, user, port, configFile, identityFile, settings, command } = options
  return [
    program,
    ...(configFile === null ? [] : ['-F', configFile]),
    ...(identityFile === null ? [] : ['-i', identityFile]),
    ...settings.flatMap((setting) => ['-o', setting]),
    ...(port === null ? [] : ['-p', String(port)]),
    '-l',
    user,
    '--',
    address,
    command,
  ]
}

const SHOWN_CHARACTERS = 200

function short(text: string): string {
  const line = text.trim().replaceAll(/\s+/g, ' ')
  return line === '' ? '(nothing)' : line.slice(0, SHOWN_CHARACTERS)
}
