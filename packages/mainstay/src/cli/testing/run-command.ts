import { SystemClock, type Clock } from '../../core/clock.ts'
import type { CliContext } from '../context.ts'
import type { ServerModule } from '../load-server.ts'
import { runCli } from '../run.ts'

export interface CommandOutcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CommandSetting {
  readonly env?: Readonly<Record<string, string>>
  readonly clock?: Clock
  readonly signal?: AbortSignal
  /** Whether both streams are a terminal. */
  readonly terminal?: boolean
  readonly columns?: number
  /** The parts of the composition root that the command may ask for. */
  readonly server?: Partial<ServerModule>
  /** Told of everything that is written to standard output, with all that was written before. */
  readonly onOutput?: (stdout: string) => void
}

/** Runs a command line in this process, as `main.ts` does, and keeps what it printed. */
export async function runCommand(argv: readonly string[], setting: CommandSetting = {}): Promise<CommandOutcome> {
  const { env = {}, clock = new SystemClock(), signal = new AbortController().signal } = setting
  const written = { stdout: '', stderr: '' }
  const stream = (name: keyof typeof written): CliContext['process']['stdout'] => ({
    write: (text) => {
      written[name] += text
      if (name === 'stdout') setting.onOutput?.(written.stdout)
    },
    isTTY: setting.terminal,
    columns: setting.columns,
  })
  const context: CliContext = {
    process: { stdout: stream('stdout'), stderr: stream('stderr'), env },
    clock,
    signal,
    loadServer: async () => setting.server ?? {},
  }
  const code = await runCli(argv, context)
  return { code, ...written }
}
