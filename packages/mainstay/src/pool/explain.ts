import { activityText, sinceText, upcomingTexts, whenText } from './activity.ts'
import type { Decision } from './decide/decision.ts'
import { rulesOf } from './decide/due-decisions.ts'
import type { PoolDecisions } from './decide.ts'
import type { VmDescriptor } from './descriptor.ts'
import { refusalText } from './manager-errors.ts'
import type { GroupRules, PoolConfiguration } from './options.ts'
import type { PoolRequest, Refusal } from './request.ts'
import { retirement } from './sizing/retirement.ts'
import type { VmLease } from './store.ts'

/** One rule that was looked at, with its numbers. */
export interface Finding {
  readonly rule: string
  /** Whether it stands in the way. */
  readonly blocks: boolean
  readonly text: string
}

/** Why a machine is not handed out, or a request waits (C14). */
export interface Explanation {
  readonly subject: string
  /** What it is doing, since when and for whom, in one sentence. */
  readonly doing: string
  /** Why it is not handed out, or waits, in one sentence. */
  readonly verdict: string
  readonly findings: readonly Finding[]
  /** What the next cycle does about it, and what follows by itself, with its time. */
  readonly next: readonly string[]
}

export interface VmFacts {
  readonly vm: VmDescriptor
  readonly configuration: PoolConfiguration
  /** When the master last started; nothing is handed out that was not checked since. */
  readonly serverStartedAt: number | null
  readonly now: number
  /** Whether its provider is configured, or it has none. */
  readonly served: boolean
  /** What the next cycle decides: of the same function that the master asks. */
  readonly decided: PoolDecisions
}

/**
 * Every rule that decides whether a machine is handed out, in the order in which they are asked.
 *
 * Source: vm-pool.md A5.2, C7, C12, C14.
 */
export function explainVm({ vm, configuration, serverStartedAt, now, served, decided }: VmFacts): Explanation {
  const rules = rulesOf({ configuration }, vm.group)
  const findings = [
    stateFinding(vm, now),
    ...(served ? [] : [providerFinding(vm)]),
    checkFinding(vm, { rules, serverStartedAt, now }),
    failFinding(vm, rules),
    boundFinding(vm, rules, now),
    ...retireFinding(vm, rules, now),
    drainFinding(vm, rules),
  ]
  const blocking = findings.filter(({ blocks }) => blocks)
  const to = vm.boundToUser === null ? 'anybody' : `${vm.boundToUser} in the sandbox ${vm.sandbox ?? ''}`
  const verdict =
    blocking.length === 0
      ? `The machine ${vm.name} would be handed to ${to}.`
      : `The machine ${vm.name} is not handed out: ${blocking.map(({ text }) => text).join('; ')}.`
  const next = [
    ...decided.decisions.filter((decision) => 'vm' in decision && decision.vm === vm.name).map(decisionText),
    ...upcomingTexts(vm, rules, { serverStartedAt, now }),
  ]
  return { subject: vm.name, doing: activityText(vm, rules, now), verdict, findings, next }
}

function stateFinding({ state, stateSince, worker, holdUntil, holdReason }: VmDescriptor, now: number): Finding {
  const whose = state === 'in_use' && worker !== null ? ` by ${worker}` : ''
  const held = holdUntil === null ? '' : `, on hold for another ${holdUntil - now} ms (${holdReason ?? ''})`
  return { rule: 'state', blocks: state !== 'ready', text: `it is ${state}${whose} for ${now - stateSince} ms${held}` }
}

function providerFinding({ provider, name }: VmDescriptor): Finding {
  const remedy = `configure it again, or have the record forgotten with "mainstay pool delete --force ${name}"`
  const text = `its provider ${provider} is not configured, so nobody knows whether it is still there: ${remedy}`
  return { rule: 'provider', blocks: true, text }
}

function checkFinding(
  { checkPassedAt }: VmDescriptor,
  { rules, serverStartedAt, now }: { rules: GroupRules; serverStartedAt: number | null; now: number },
): Finding {
  const rule = 'max_check_age'
  if (checkPassedAt === null) return { rule, blocks: true, text: 'it never passed a check' }
  const age = now - checkPassedAt
  if (serverStartedAt !== null && checkPassedAt <= serverStartedAt) {
    return { rule, blocks: true, text: `it passed no check since the master started ${now - serverStartedAt} ms ago` }
  }
  const { maxCheckAgeMs } = rules
  const blocks = maxCheckAgeMs > 0 && age > maxCheckAgeMs
  return { rule, blocks, text: `its last passed check is ${age} ms old, of at most ${maxCheckAgeMs}` }
}

function failFinding({ checkFails }: VmDescriptor, { maxCheckFails }: GroupRules): Finding {
  const text = `${checkFails} checks failed since the last one passed; more than ${maxCheckFails} end it`
  return { rule: 'check_fails', blocks: checkFails > 0, text }
}

function boundFinding({ boundToUser, sandbox, lastRelease }: VmDescriptor, rules: GroupRules, now: number): Finding {
  if (boundToUser === null) return { rule: 'dirty', blocks: false, text: 'nobody has used it' }
  const idle = lastRelease === null ? '' : `, given back ${now - lastRelease} ms ago, kept for ${rules.dirtyTimeoutMs}`
  return { rule: 'dirty', blocks: false, text: `it is bound to ${boundToUser} in the sandbox ${sandbox ?? ''}${idle}` }
}

function retireFinding(vm: VmDescriptor, rules: GroupRules, now: number): Finding[] {
  const reason = retirement(vm, rules, now)
  if (reason === null) return []
  if (reason === 'uses') {
    const text = `it was used ${vm.uses} times, of at most ${rules.maxUses}, and is handed out no more`
    return [{ rule: reason, blocks: true, text }]
  }
  return [{ rule: reason, blocks: false, text: `it served its time (${reason}) and goes once it is replaced` }]
}

function drainFinding({ drain }: VmDescriptor, { draining, id }: GroupRules): Finding {
  if (draining !== null) return { rule: 'drain', blocks: true, text: `the group ${id} is drained (${draining})` }
  return {
    rule: 'drain',
    blocks: drain !== null,
    text: drain === null ? 'it is not drained' : `it is drained (${drain})`,
  }
}

export interface RequestFacts {
  readonly request: PoolRequest
  /** Why it was not served just now. */
  readonly refusals: readonly Refusal[]
  /** The machines that it holds. */
  readonly machines: readonly string[]
  readonly now: number
  readonly decided: PoolDecisions
}

/**
 * Why a request waits, and what is done about it.
 *
 * Source: vm-pool.md C3, C4, C14.
 */
export function explainRequest(facts: RequestFacts): Explanation {
  const { request, refusals, now, decided } = facts
  const { id, status, owner, priority, submittedAt, waitUntil, count, groups } = request
  if (status !== 'waiting') return explainEnded(facts)
  const unserved = decided.sizing?.unserved.find((each) => each.request === id)
  const starts = decided.decisions.filter((decision) => 'for' in decision && decision.for === id)
  const preempts = decided.decisions.filter((decision) => decision.do === 'preempt' && decision.request === id)
  const findings: Finding[] = [
    { rule: 'wish', blocks: false, text: `${owner} wants ${count} of ${groups.join(', ')} with priority ${priority}` },
    {
      rule: 'wait',
      blocks: false,
      text: `it waits for ${now - submittedAt} ms, for another ${waitUntil - now} at most`,
    },
    ...refusals.map((refusal) => ({ rule: refusal.kind, blocks: true, text: refusalText(refusal) })),
    ...(unserved === undefined ? [] : [{ rule: `sizing: ${unserved.kind}`, blocks: true, text: unserved.because }]),
  ]
  const blocking = findings.filter(({ blocks }) => blocks)
  const why = blocking.length === 0 ? 'a machine is on its way' : blocking.map(({ text }) => text).join('; ')
  return {
    subject: id,
    doing: `The request ${id} of ${owner} waits ${sinceText(submittedAt, now)}.`,
    verdict: `The request ${id} waits: ${why}.`,
    findings,
    next: [
      ...[...starts, ...preempts].map(decisionText),
      'with each machine that becomes free: it is served, when its turn has come and nothing above is in the way',
      `${whenText(waitUntil, now)}: it ends without a machine`,
    ],
  }
}

function explainEnded({ request, machines, now }: RequestFacts): Explanation {
  const { id, status, owner, reason, endedAt } = request
  const when = endedAt === null ? '' : `, ${sinceText(endedAt, now)}`
  const doing = `The request ${id} of ${owner} is ${status}${when}.`
  const verdict = `The request ${id} is ${status}${reason === null ? '' : ` (${reason})`}.`
  return { subject: id, doing, verdict, findings: [], next: [holdingText(machines)] }
}

/** A request that was granted at once is not kept; its machines know its id. */
export function explainLeases(id: string, leases: readonly VmLease[], now: number): Explanation {
  const [first] = leases
  const owner = first?.vm.boundToUser ?? 'nobody'
  const since = first === undefined ? '' : ` ${sinceText(first.vm.inUseSince ?? first.vm.stateSince, now)}`
  return {
    subject: id,
    doing: `The request ${id} of ${owner} has its machines${since}.`,
    verdict: `The request ${id} was granted at once.`,
    findings: [],
    next: [holdingText(leases.map(({ vm }) => vm.name))],
  }
}

function holdingText(machines: readonly string[]): string {
  return machines.length === 0
    ? 'nothing: it holds no machine, and is forgotten after a while'
    : `it holds ${machines.join(', ')}; "mainstay pool explain NAME" says what comes next for each`
}

/** A decision in one line, for `plan` and `explain`. */
export function decisionText(decision: Decision): string {
  const verb = decision.do.replaceAll('_', ' ')
  if (decision.do === 'preempt') return `${verb} for ${decision.request}: ${decision.because}`
  if ('vm' in decision) return `${verb} ${decision.vm}: ${decision.because}`
  const count = 'count' in decision ? `${decision.count} in ` : ''
  return `${verb} ${count}${decision.group}: ${decision.because}`
}
