import { payloadText } from './payload-text.ts'

/** What a notification amounts to before anything is looked at. */
export type Judgement =
  | { readonly act: 'recover'; readonly because: string }
  | { readonly act: 'nothing'; readonly status: 'finished' | 'ignored'; readonly because: string }

const nothing = (status: 'finished' | 'ignored', because: string): Judgement => ({ act: 'nothing', status, because })

/**
 * Whether a report about a host leads to its recovery.
 *
 * Source: ha-api.md 12.1.
 */
export function judgeHostReport(payload: Readonly<Record<string, unknown>>): Judgement {
  const event = payloadText(payload, 'event')
  const hostStatus = payloadText(payload, 'host_status')
  if (hostStatus === '') return nothing('ignored', 'the report does not say how the host is')
  if (hostStatus.toUpperCase() !== 'NORMAL') {
    return nothing('ignored', `the host's state is ${hostStatus}: evacuating its guests would not be safe`)
  }
  if (event === 'STARTED') return nothing('finished', 'the host started')
  if (event !== 'STOPPED') return nothing('ignored', `"${event}" is no event of a host`)
  return { act: 'recover', because: 'the host stopped' }
}

/** Reports about a guest that mean that it should be started again. */
const FAILED_GUEST: ReadonlySet<string> = new Set([
  'LIFECYCLE/STOPPED_FAILED',
  'IO_ERROR/IO_ERROR_REPORT',
  'QEMU_GUEST_AGENT_ERROR/STOPPED_FAILED',
])

/**
 * Whether a report about a guest leads to its restart.
 *
 * Source: ha-api.md 13.1.
 */
export function judgeInstanceReport(payload: Readonly<Record<string, unknown>>): Judgement {
  const report = `${payloadText(payload, 'event')}/${payloadText(payload, 'vir_domain_event')}`
  if (FAILED_GUEST.has(report)) return { act: 'recover', because: `the guest failed (${report})` }
  return nothing('ignored', `${report} is not a failure that calls for a restart`)
}

/**
 * Whether a report about a process leads to anything.
 *
 * Source: ha-api.md 14.
 */
export function judgeProcessReport(payload: Readonly<Record<string, unknown>>): Judgement {
  const event = payloadText(payload, 'event')
  const name = payloadText(payload, 'process_name')
  if (event === 'STARTED') return nothing('finished', `the process ${name} started`)
  if (event !== 'STOPPED') return nothing('ignored', `"${event}" is no event of a process`)
  return { act: 'recover', because: `the process ${name} stopped` }
}
