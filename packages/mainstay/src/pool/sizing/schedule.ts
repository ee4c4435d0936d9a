import { Cron } from 'croner'

import { InvalidInputError, errorMessage } from '../../core/errors.ts'
import type { LabelOptions, LabelSchedule } from '../options.ts'

/** A label's numbers as they hold now. */
export interface LabelNow {
  readonly options: LabelOptions
  /** The schedule that overrides some of them, by its place in the list; null without one. */
  readonly schedule: number | null
}

/**
 * A label's numbers with the first schedule that holds now put over them. A schedule holds from the moment that its
 * cron names, included, for `forMs`, excluded. Local time is that of its time zone: where a clock is set back, a
 * moment that comes twice begins it once.
 *
 * Only `now` is asked: nothing is remembered between two calls, so that a restart in the middle of a schedule changes
 * nothing.
 *
 * Source: vm-pool.md C8.
 *
 * @param now milliseconds since the Unix epoch
 */
export function labelNow(options: LabelOptions, now: number): LabelNow {
  const index = options.schedules.findIndex((schedule) => holds(schedule, now))
  const schedule = options.schedules[index]
  return schedule === undefined
    ? { options, schedule: null }
    : { options: { ...options, ...schedule.override }, schedule: index }
}

/** @throws InvalidInputError when the cron or the time zone of a schedule cannot be read, or no day is ever meant */
export function checkSchedule(schedule: LabelSchedule, label: string): void {
  let begins: boolean
  try {
    begins = cronOf(schedule).nextRun(new Date(0)) !== null
  } catch (error) {
    throw new InvalidInputError(
      `The schedule "${schedule.cron}" (${schedule.timeZone}) of the label ${label} cannot be read: ` +
        `${errorMessage(error)} Write five fields and an IANA time zone, as in "0 8 * * 1-5" and "Europe/Prague".`,
      { cause: error },
    )
  }
  if (begins) return
  throw new InvalidInputError(
    `The schedule "${schedule.cron}" of the label ${label} never begins: no year has such a day. Name one that comes.`,
  )
}

function holds(schedule: LabelSchedule, now: number): boolean {
  const begin = cronOf(schedule).nextRun(new Date(now - schedule.forMs))
  return begin !== null && begin.getTime() <= now
}

const parsed = new WeakMap<LabelSchedule, Cron>()

function cronOf(schedule: LabelSchedule): Cron {
  const known = parsed.get(schedule)
  if (known !== undefined) return known
  const cron = new Cron(schedule.cron, { timezone: schedule.timeZone, paused: true, mode: '5-part' })
  parsed.set(schedule, cron)
  return cron
}
