import { TimeoutError, errorMessage, isRetryable } from '../core/errors.ts'
import { formatZulu } from '../core/timestamp.ts'
import { formatDuration } from '../core/format-duration.ts'
import type { CliContext } from './context.ts'
import { parseDuration } from './duration.ts'

/** The flags of every command that can go on showing what changes. */
export interface FollowFlags {
  readonly watch: boolean
  readonly interval: number
  readonly for?: number
}

export const followFlags = {
  watch: {
    kind: 'boolean',
    default: false,
    withNegated: false,
    brief: 'Go on, and print again whenever something changed',
  },
  interval: {
    kind: 'parsed',
    parse: parseDuration,
    placeholder: 'DURATION',
    default: '2s',
    brief: 'How often --watch and --wait look',
  },
  for: {
    kind: 'parsed',
    parse: parseDuration,
    placeholder: 'DURATION',
    optional: true,
    brief: 'The longest that --watch and --wait go on; until interrupted without it',
  },
} as const

export interface Following<T> {
  readonly fetch: () => Promise<T>
  /** What is printed of a value; the same text twice is printed once. */
  readonly render: (value: T) => string | Promise<string>
  /** Whether there is nothing more to wait for. */
  readonly done?: (value: T) => boolean
}

const CLEAR_SCREEN = '\u001B[H\u001B[2J'

/**
 * Prints a value, and with `--watch` goes on until it is done, the time is over or the user has enough.
 *
 * A terminal shows the newest state with the time of it; a pipe gets one text after the other. A server that goes away
 * while being watched is waited for.
 *
 * @returns the last value that was seen
 * @throws what `fetch` throws at first, or later without hope
 */
export async function follow<T>(context: CliContext, flags: FollowFlags, following: Following<T>): Promise<T> {
  const { stdout } = context.process
  const { fetch, render, done = () => false } = following
  let value = await fetch()
  let printed = await render(value)
  stdout.write(flags.watch && stdout.isTTY === true ? screen(context, printed) : printed)
  if (!flags.watch || done(value)) return value
  for await (value of poll(context, flags, { fetch, done })) {
    const text = await render(value)
    if (text === printed) continue
    printed = text
    stdout.write(stdout.isTTY === true ? screen(context, text) : text)
  }
  return value
}

/**
 * Waits without printing until a value is done.
 *
 * @returns the value that is done, or the last one when the user has enough
 * @throws TimeoutError after `--for`
 */
export async function waitFor<T>(
  context: CliContext,
  flags: Pick<FollowFlags, 'interval' | 'for'>,
  {
    what,
    first,
    fetch,
    done,
    seen,
  }: {
    what: string
    first: T
    fetch: () => Promise<T>
    done: (value: T) => boolean
    seen: (value: T) => void
  },
): Promise<T> {
  let value = first
  seen(value)
  if (done(value)) return value
  for await (value of poll(context, flags, { fetch, done })) seen(value)
  if (!done(value) && flags.for !== undefined && !context.signal.aborted) throw new TimeoutError(what, flags.for)
  return value
}

/** Looks again after every interval. Ends with the value that is done, at the end of the time, or at an interrupt. */
async function* poll<T>(
  context: CliContext,
  flags: Pick<FollowFlags, 'interval' | 'for'>,
  { fetch, done }: { fetch: () => Promise<T>; done: (value: T) => boolean },
): AsyncGenerator<T> {
  const { clock, signal, process } = context
  const end = clock.monotonic() + (flags.for ?? Number.POSITIVE_INFINITY)
  let lost = false
  while (clock.monotonic() < end) {
    if (!(await pause(context, Math.min(flags.interval, end - clock.monotonic())))) return
    try {
      const value = await fetch()
      if (lost) process.stderr.write(`mainstay: the server answers again since ${formatZulu(clock.now())}\n`)
      lost = false
      yield value
      if (done(value)) return
    } catch (error) {
      if (signal.aborted) return
      if (!isRetryable(error)) throw error
      const again = `Trying again every ${formatDuration(flags.interval)}.`
      if (!lost) process.stderr.write(`mainstay: ${formatZulu(clock.now())} ${errorMessage(error)} ${again}\n`)
      lost = true
    }
  }
}

/** @returns false when the user has enough */
async function pause({ clock, signal }: CliContext, delayMs: number): Promise<boolean> {
  try {
    await clock.sleep(delayMs, { signal })
    return !signal.aborted
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}

function screen({ clock }: CliContext, text: string): string {
  return `${CLEAR_SCREEN}${formatZulu(clock.now())}\n${text}`
}
