import { stripVTControlCharacters } from 'node:util'

/** One line that a server, a proxy or the kit itself has written. */
export interface LogLine {
  /** Wall-clock milliseconds since 1970, with fractions: when the line arrived, or what it says itself. */
  readonly at: number
  /** Monotonic milliseconds at arrival. */
  readonly monotonic: number
  readonly server: string
  /** `stdout`, `stderr`, `harness`, `proxy`, or the name of a log file. */
  readonly stream: string
  readonly text: string
  /** Counts the starts of the server, from 1: a restart's lines are told from the run before. */
  readonly run: number
}

/** Colours, cursor movements and carriage returns: what a terminal would swallow. */
export function stripTerminalCodes(text: string): string {
  return stripVTControlCharacters(text).replaceAll('\r', '')
}
