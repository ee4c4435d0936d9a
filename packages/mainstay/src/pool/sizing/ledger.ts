import type { GroupRules, LabelOptions } from '../options.ts'
import type { GroupCounts } from '../store.ts'
import { active, groupRoom, spawning, type GroupRoom } from './group-room.ts'
import { labelNow } from './schedule.ts'
import type { LabelStock } from './target.ts'

/** A group as sizing sees it. */
export interface GroupFacts {
  readonly rules: GroupRules
  readonly counts: GroupCounts
  /** What the token bucket lets pass; infinite without one. */
  readonly tokens: number
  /** Why no provider of the group takes requests now; null when one does. */
  readonly noProvider: string | null
}

/** Machines to start in a group. */
export interface Start {
  readonly group: string
  /** `spawn` makes a new machine, `wake` starts a stopped one. */
  readonly kind: 'spawn' | 'wake'
  readonly count: number
  /** The label or the request that they are for. */
  readonly for: string
  readonly because: string
}

interface Line {
  readonly facts: GroupFacts
  readonly room: GroupRoom
  /** Clean machines, there or on their way, that nobody has been promised. */
  unpromised: number
  promised: number
  started: number
  woken: number
}

/** How many more machines a label may have over all groups that carry it. */
interface LabelRoom {
  readonly label: string
  readonly maxTotal: number
  left: number
}

/**
 * The books of one round of sizing: every machine that is promised to a request, and every start that is planned, is
 * written here at once, so that no machine is counted twice, also where a group serves several labels.
 */
export class Ledger {
  readonly #lines: ReadonlyMap<string, Line>
  readonly #labels: readonly LabelRoom[]
  readonly #now: number
  readonly starts: Start[] = []

  constructor(groups: readonly GroupFacts[], labels: readonly LabelOptions[], now: number) {
    this.#now = now
    this.#labels = labels.flatMap((configured) => {
      const { label, maxTotal } = labelNow(configured, now).options
      if (maxTotal === 0) return []
      const carriers = groups.filter(({ rules }) => carries(rules, label))
      return { label, maxTotal, left: maxTotal - carriers.reduce((sum, { counts }) => sum + active(counts.states), 0) }
    })
    this.#lines = new Map(
      groups.map((facts) => [
        facts.rules.id,
        {
          facts,
          room: groupRoom(facts, now),
          unpromised: facts.counts.clean + arriving(facts.counts),
          promised: 0,
          started: 0,
          woken: 0,
        },
      ]),
    )
  }

  get now(): number {
    return this.#now
  }

  facts(group: string): GroupFacts | undefined {
    return this.#lines.get(group)?.facts
  }

  /** Groups that carry a label, in the order of preference. */
  groupsOf(label: string): string[] {
    return [...this.#lines.values()]
      .filter((line) => carries(line.facts.rules, label))
      .map(({ facts }) => facts.rules.id)
  }

  /** Promises up to `count` machines of a group. @returns how many it had */
  promise(group: string, count: number): number {
    const line = this.#lines.get(group)
    if (line === undefined) return 0
    const given = Math.min(count, line.unpromised)
    line.unpromised -= given
    line.promised += given
    return given
  }

  /** Plans up to `count` starts in a group; stopped machines first. @returns how many there is room for */
  start(group: string, count: number, reason: Pick<Start, 'for' | 'because'>, { wake = true } = {}): number {
    const line = this.#lines.get(group)
    if (line === undefined || count <= 0) return 0
    const { standby } = line.facts.counts.states
    const woken = wake && line.facts.rules.draining === null ? Math.min(count, standby - line.woken) : 0
    const labels = this.#labelsOf(line)
    const room = Math.min(line.room.spawns - line.started, ...labels.map(({ left }) => left))
    const made = Math.max(0, Math.min(count - woken, room))
    line.woken += woken
    line.started += made
    for (const label of labels) label.left -= made
    line.unpromised += woken + made
    if (woken > 0) this.starts.push({ group, kind: 'wake', count: woken, ...reason })
    if (made > 0) this.starts.push({ group, kind: 'spawn', count: made, ...reason })
    return woken + made
  }

  /** Why a group starts no more machines now. */
  whyNoRoom(group: string): string {
    const line = this.#lines.get(group)
    if (line === undefined) return `there is no group ${group}`
    const full = this.#labelsOf(line).find(({ left }) => left <= 0)
    if (full !== undefined) return `${group}: max_total ${full.maxTotal} of the label ${full.label}`
    return `${group}: ${line.room.because ?? 'nothing more is needed'}`
  }

  /** Whether a group cannot grow until a machine leaves it, or a provider takes requests again. */
  isFull(group: string): boolean {
    const line = this.#lines.get(group)
    if (line === undefined || line.facts.noProvider !== null || line.facts.rules.draining !== null) return true
    if (this.#labelsOf(line).some(({ left }) => left <= 0)) return true
    const { rules, counts } = line.facts
    return rules.maxTotal > 0 && active(counts.states) + line.started >= rules.maxTotal
  }

  /** What a label has, planned starts included, promised machines not. */
  stock(label: string): LabelStock {
    const lines = this.groupsOf(label).map((group) => this.#lines.get(group)!)
    const sum = (of: (line: Line) => number): number => lines.reduce((all, line) => all + of(line), 0)
    return {
      clean: sum(({ facts, promised }) => Math.max(0, facts.counts.clean - promised)),
      arriving: sum((line) => line.unpromised - Math.max(0, line.facts.counts.clean - line.promised)),
      inUse: sum(({ facts }) => facts.counts.states.in_use),
      standby: sum(({ facts, woken }) => facts.counts.states.standby - woken),
      active: sum(({ facts, started }) => active(facts.counts.states) + started),
      waiting: 0,
    }
  }

  /** Labels with a maximum that a machine of the group counts against. */
  #labelsOf({ facts }: Line): LabelRoom[] {
    return this.#labels.filter(({ label }) => carries(facts.rules, label))
  }
}

/** Whether a group serves a label; its own name is one. */
export function carries(rules: Pick<GroupRules, 'id' | 'labels'>, label: string): boolean {
  return rules.id === label || rules.labels.includes(label)
}

/** Machines on their way to being ready. */
export function arriving({ states }: Pick<GroupCounts, 'states'>): number {
  return spawning(states) + states.got_ip + states.check_health
}
