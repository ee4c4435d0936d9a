import type { CommandContext } from '@stricli/core'

import type { Clock } from '../core/clock.ts'
import type { ServerModule } from './load-server.ts'

/** Where text goes: what the program needs of `process.stdout`. */
export interface TextStream {
  readonly write: (text: string) => void
  readonly isTTY?: boolean | undefined
  /** The width of the terminal, in characters. */
  readonly columns?: number | undefined
  readonly getColorDepth?: (env?: Readonly<Partial<Record<string, string>>>) => number
}

export interface CliProcess {
  readonly stdout: TextStream
  readonly stderr: TextStream
  readonly env: Readonly<Partial<Record<string, string>>>
}

/** What every command is given: the process's streams and environment, a clock, the user's wish to stop. */
export interface CliContext extends CommandContext {
  readonly process: CliProcess
  readonly clock: Clock
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  /** Lets SIGINT end the program on the spot, with all that it is doing, instead of asking it to stop; until disposed. */
  readonly interruptEndsAtOnce?: () => Disposable
  /** Calls `reload` whenever the user asks for the configuration to be read again (SIGHUP), until disposed. */
  readonly onReload?: (reload: () => void) => Disposable
  /** Calls `end` when the terminal goes away (SIGHUP), until disposed. Without it that ends the program on the spot. */
  readonly onHangUp?: (end: () => void) => Disposable
  /** Brings the whole product, for the commands that run it here. */
  readonly loadServer: () => Promise<Partial<ServerModule>>
}
