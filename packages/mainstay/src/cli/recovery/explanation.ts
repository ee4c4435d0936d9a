import type { DecisionRecord, Recovery, TimelineEntry } from '../../client/index.ts'
import { isJsonObject, toJson, type Json } from '../../core/json.ts'
import { parseTimestamp } from '../../core/timestamp.ts'
import { formatDuration } from '../../core/format-duration.ts'

import { isSettled } from './settled.ts'

/** The longest value of a decision's input that is printed; the record has it in full. */
const LONGEST_INPUT = 160

/**
 * Why a recovery did what it did, for somebody who was just woken up: the state and what can be done about it, each
 * decision with what was seen and why, the times with the slowest part named, and what failed.
 *
 * @param nowMs for how long what still runs has been running; without it that is not told
 */
export function explainRecovery(recovery: Recovery, nowMs?: number): string {
  const parts = [
    headline(recovery),
    decisions(recovery.decisions),
    timeline(recovery, nowMs),
    failures(recovery),
    whatNow(recovery),
  ]
  return `${parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`
}

function headline(recovery: Recovery): string[] {
  const { id, type, subject, status, outcome, heldReason, waitsFor, createdAt, notificationUuid } = recovery
  return [
    `The recovery of ${type} ${subject} is ${status.toUpperCase()}.`,
    ...(heldReason === null ? [] : [`  held because    ${heldReason}`]),
    ...(waitsFor === null
      ? []
      : [
          `  waits for       the recovery of ${waitsFor.type} ${waitsFor.subject}, which is ${waitsFor.status}: ${waitsFor.id}`,
        ]),
    ...(outcome === null ? [] : [`  outcome         ${outcome}`]),
    `  recovery        ${id}`,
    `  notification    ${notificationUuid}`,
    `  began           ${createdAt}`,
  ]
}

function decisions(records: readonly DecisionRecord[]): string[] {
  if (records.length === 0) return ['No decision has been taken yet.']
  return [
    'What was decided, and why',
    ...records.flatMap(({ at, rule, inputs, verdict, reasons }, index) => [
      `  ${index + 1}. ${timeOfDay(at)}  rule ${rule}: ${verdict}`,
      ...seen(inputs).map((line, nth) => `       ${nth === 0 ? 'seen   ' : '       '}  ${line}`),
      ...reasons.map((reason, nth) => `       ${nth === 0 ? 'because' : '       '}  ${reason}`),
    ]),
  ]
}

function seen(inputs: Json): string[] {
  if (!isJsonObject(inputs)) return inputs === null ? [] : [shortened(inputs)]
  return Object.entries(inputs).map(([name, value]) => `${name} = ${shortened(value)}`)
}

function shortened(value: Json): string {
  const text = namesOf(value) ?? (typeof value === 'string' ? value : toJson(value))
  return text.length > LONGEST_INPUT ? `${text.slice(0, LONGEST_INPUT)}…` : text
}

/** Guests and hosts are told by name: what else is known of them is in the record. */
function namesOf(value: Json): string | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined
  const names = value.map((item: Json) => (isJsonObject(item) ? item['name'] : undefined))
  return names.every((name) => typeof name === 'string') ? `${names.length}: ${names.join(', ')}` : undefined
}

function timeline(recovery: Recovery, nowMs: number | undefined): string[] {
  const entries = recovery.timeline
  if (entries.length === 0) return []
  const lasted = entries.map((entry) => durationOf(entry, isSettled(recovery) ? undefined : nowMs))
  const longest = Math.max(...lasted.map((ms) => ms ?? -1))
  const slowest = longest > 0 ? lasted.indexOf(longest) : -1
  const width = Math.max(...entries.map(({ phase }) => phase.length))
  const lines = entries.map(({ phase, at, durationMs, text }, index) => {
    const ms = lasted[index]
    const time = ms === undefined ? 'running' : `${formatDuration(ms)}${durationMs === null ? ' so far' : ''}`
    const mark = index === slowest ? '  <- slowest' : ''
    return `  ${phase.padEnd(width)}  ${timeOfDay(at)}  ${time.padStart(14)}  ${text}${mark}`
  })
  return ['When', ...lines, ...summary(recovery, entries[slowest], longest, nowMs)]
}

function summary(
  recovery: Recovery,
  slowest: TimelineEntry | undefined,
  longestMs: number,
  nowMs: number | undefined,
): string[] {
  if (slowest === undefined) return []
  const whole = wholeMs(recovery, nowMs)
  if (whole === undefined || whole <= 0) return [`  Slowest part: ${slowest.phase}, ${formatDuration(longestMs)}.`]
  const share = Math.min(100, Math.round((longestMs / whole) * 100))
  return [
    `  Slowest part: ${slowest.phase}, ${formatDuration(longestMs)} of ${formatDuration(whole)} in all (${share} %).`,
  ]
}

/** From the first thing that is known to the end, or to now. */
function wholeMs(
  { timeline: entries, createdAt, finishedAt }: Recovery,
  nowMs: number | undefined,
): number | undefined {
  const begins = [createdAt, ...entries.map(({ at }) => at)].map(parseTimestamp).filter((ms) => ms !== undefined)
  const end = finishedAt === null ? nowMs : parseTimestamp(finishedAt)
  return begins.length === 0 || end === undefined ? undefined : end - Math.min(...begins)
}

function durationOf({ at, durationMs }: TimelineEntry, nowMs: number | undefined): number | undefined {
  if (durationMs !== null) return durationMs
  const began = parseTimestamp(at)
  return began === undefined || nowMs === undefined ? undefined : Math.max(0, nowMs - began)
}

function failures({ steps }: Recovery): string[] {
  const failed = steps.filter(({ state }) => state === 'failed')
  if (failed.length === 0) return []
  return [
    'What failed',
    ...failed.map(
      ({ key, kind, attempt, error }) => `  ${kind} ${key}, attempt ${attempt}: ${error ?? 'no reason given'}`,
    ),
  ]
}

function whatNow({ id, type, subject, status, waitsFor }: Recovery): string[] {
  switch (status) {
    case 'held':
      return [
        'What now',
        `  mend the cause and let it look again:  mainstay recovery retry ${id} --reason "…"`,
        ...(type === 'host'
          ? [`  or see yourself that the host is off:  mainstay fence ${subject} --assert-dead --reason "…"`]
          : []),
        `  or give it up:                         mainstay recovery cancel ${id} --reason "…"`,
      ]
    case 'failed':
      return [
        'What now',
        '  Not everything was brought back. Mend the cause; if a recovery is still needed,',
        ...(type === 'host'
          ? [`  take the host off maintenance:  mainstay host update SEGMENT ${subject} --on-maintenance False`]
          : []),
        '  and report the failure again:   mainstay notification create …',
        '  ha.duplicate_interval_ms (180 s unless configured otherwise) after the last report at the earliest;',
        '  an earlier one counts as the same.',
      ]
    case 'pending':
    case 'running':
    case 'waiting':
      return [
        'What now',
        ...(waitsFor === null ? [] : [`  see what it waits for:  mainstay recovery explain ${waitsFor.id}`]),
        `  follow it:  mainstay recovery show ${id} --watch`,
      ]
    case 'completed':
    case 'cancelled':
      return []
  }
}

/** `12:34:56.789Z`: the date is in the headline. */
function timeOfDay(timestamp: string): string {
  return timestamp.replace(/^\d{4}-\d{2}-\d{2}T/, '')
}
