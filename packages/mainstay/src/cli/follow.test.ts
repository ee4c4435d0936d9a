import { describe, expect, test } from 'vitest'

import { ServerUnreachableError } from '../client/index.ts'
import { ManualClock } from '../core/clock.ts'
import type { CliContext } from './context.ts'
import { follow, waitFor, type FollowFlags } from './follow.ts'

const FLAGS: FollowFlags = { watch: true, interval: 1000 }

interface Screen {
  readonly context: CliContext
  readonly clock: ManualClock
  readonly stop: AbortController
  stdout: string
  stderr: string
}

function screen({ terminal = false } = {}): Screen {
  const clock = new ManualClock()
  const stop = new AbortController()
  const seen: Screen = {
    clock,
    stop,
    stdout: '',
    stderr: '',
    context: {
      process: {
        stdout: { write: (text) => void (seen.stdout += text), isTTY: terminal },
        stderr: { write: (text) => void (seen.stderr += text), isTTY: terminal },
        env: {},
      },
      clock,
      signal: stop.signal,
      loadServer: async () => ({}),
    },
  }
  return seen
}

/** A value that changes with every look; an error is thrown. */
function values<T>(...steps: readonly (T | Error)[]): () => Promise<T> {
  let at = 0
  return async () => {
    const step = steps[Math.min(at, steps.length - 1)]!
    at += 1
    if (step instanceof Error) throw step
    return step
  }
}

const render = (value: string): string => `${value}\n`
const gone = new ServerUnreachableError('http://h', 'gone', { cause: undefined })

describe('following', () => {
  test('looks once without --watch', async () => {
    const on = screen()
    expect(await follow(on.context, { ...FLAGS, watch: false }, { fetch: values('a', 'b'), render })).toBe('a')
    expect(on.stdout).toBe('a\n')
  })

  test('prints what changed, and only that, until it is done', async () => {
    const on = screen()
    const fetch = values('a', 'a', 'b', 'b', 'c')
    const followed = follow(on.context, FLAGS, { fetch, render, done: (value) => value === 'c' })
    await on.clock.advance(2000)
    expect(on.stdout).toBe('a\nb\n')
    await on.clock.advance(2000)
    expect(await followed).toBe('c')
    expect(on.stdout).toBe('a\nb\nc\n')
  })

  test('shows the newest state with its time on a terminal', async () => {
    const on = screen({ terminal: true })
    const followed = follow(on.context, FLAGS, { fetch: values('a', 'b'), render, done: (value) => value === 'b' })
    await on.clock.advance(1000)
    await followed
    const clear = '\u001B[H\u001B[2J'
    expect(on.stdout).toBe(`${clear}2026-01-01T00:00:00.000Z\na\n${clear}2026-01-01T00:00:01.000Z\nb\n`)
  })

  test('an interrupt ends it without an error', async () => {
    const on = screen()
    const followed = follow(on.context, FLAGS, { fetch: values('a'), render })
    await on.clock.advance(1500)
    on.stop.abort(new Error('SIGINT'))
    expect(await followed).toBe('a')
    expect(on.clock.pending).toBe(0)
  })

  test('ends when its time is over', async () => {
    const on = screen()
    const followed = follow(on.context, { ...FLAGS, for: 2500 }, { fetch: values('a', 'b', 'c', 'd', 'e'), render })
    await on.clock.advance(10_000)
    expect(await followed).toBe('d')
    expect(on.stdout).toBe('a\nb\nc\nd\n')
  })

  test('waits for a server that goes away, and says so once', async () => {
    const on = screen()
    const fetch = values('a', gone, gone, 'b')
    const followed = follow(on.context, FLAGS, { fetch, render, done: (value) => value === 'b' })
    await on.clock.advance(3000)
    expect(await followed).toBe('b')
    expect(on.stderr.match(/gone/g)).toHaveLength(1)
    expect(on.stderr).toContain('the server answers again since 2026-01-01T00:00:03.000Z')
  })

  test.each<[string, readonly (string | Error)[]]>([
    ['a server that was never there', [gone]],
    ['an error without hope', ['a', new Error('no')]],
  ])('%s ends it with the error', async (_name, steps) => {
    const on = screen()
    const followed = follow(on.context, FLAGS, { fetch: values(...steps), render })
    const [outcome] = await Promise.allSettled([followed, on.clock.advance(1000)])
    expect(outcome).toEqual({ status: 'rejected', reason: steps.at(-1) })
  })
})

describe('waiting', () => {
  const done = (value: string): boolean => value === 'c'

  test('tells every value that it sees', async () => {
    const on = screen()
    const seen: string[] = []
    const see = (value: string): void => void seen.push(value)
    const waited = waitFor(on.context, FLAGS, { what: 'x', first: 'a', fetch: values('b', 'c'), done, seen: see })
    await on.clock.advance(2000)
    expect(await waited).toBe('c')
    expect(seen).toEqual(['a', 'b', 'c'])
    expect(on.stdout).toBe('')
  })

  test('gives up when its time is over', async () => {
    const on = screen()
    const flags = { ...FLAGS, for: 1500 }
    const waited = waitFor(on.context, flags, { what: 'The x', first: 'a', fetch: values('a'), done, seen: () => {} })
    const [outcome] = await Promise.allSettled([waited, on.clock.advance(5000)])
    const message = expect.stringContaining('The x took longer than 1500 ms') as string
    expect(outcome).toMatchObject({ status: 'rejected', reason: { message } })
  })

  test('does not look again at what is done', async () => {
    const on = screen()
    const fetch = values<string>(new Error('not to be asked'))
    expect(await waitFor(on.context, FLAGS, { what: 'x', first: 'c', fetch, done, seen: () => {} })).toBe('c')
  })
})
