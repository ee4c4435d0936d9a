import { SystemClock } from '../core/clock.ts'
import { InvalidInputError } from '../core/errors.ts'

/**
 * The clock of this process: the machine's, and in a functional test one that is wrong by as much as the test wants
 * (testkit.md A12.1). Only a process of the test kit obeys, and it says so: a server with a wrong clock by accident would
 * take leases that are not its own.
 *
 * Timers, ids and the times of log lines stay right, so that lines of several processes can be told apart.
 *
 * @throws InvalidInputError for a skew that is no whole number of milliseconds
 */
export function processClock(
  env: Readonly<Record<string, string | undefined>>,
  say: (line: string) => void,
): SystemClock {
  const { MAINSTAY_TESTKIT_RUN: run, MAINSTAY_TESTKIT_CLOCK_SKEW_MS: skew } = env
  if (run === undefined || skew === undefined) return new SystemClock()
  const aheadMs = Number(skew)
  if (!/^[+-]?\d+$/.test(skew) || !Number.isSafeInteger(aheadMs)) {
    throw new InvalidInputError(
      `MAINSTAY_TESTKIT_CLOCK_SKEW_MS is "${skew}": give whole milliseconds, for instance -86400000 for a day behind.`,
    )
  }
  say(`The clock of this process is ahead by ${aheadMs} ms: a test wants it so (MAINSTAY_TESTKIT_CLOCK_SKEW_MS).`)
  return new SystemClock({ aheadMs })
}
