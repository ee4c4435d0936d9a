import { describe, expect, test } from 'vitest'

import { judgeHostReport, judgeInstanceReport, judgeProcessReport } from './judge-notification.ts'

/** What comes of a judgement, in one word. */
function outcome(judgement: ReturnType<typeof judgeHostReport>): string {
  expect(judgement.because).not.toBe('')
  return judgement.act === 'recover' ? 'recover' : judgement.status
}

describe('reports about a host (ha-api 12.1)', () => {
  test.each([
    [{ event: 'STOPPED' }, 'ignored'],
    [{ event: 'STARTED' }, 'ignored'],
    [{ event: 'STOPPED', host_status: '' }, 'ignored'],
    [{ event: 'STOPPED', host_status: 5 }, 'ignored'],
    [{ event: 'STOPPED', host_status: 'UNKNOWN' }, 'ignored'],
    [{ event: 'STARTED', host_status: 'UNKNOWN' }, 'ignored'],
    [{ event: 'STOPPED', host_status: 'NORMAL' }, 'recover'],
    [{ event: 'STOPPED', host_status: 'normal' }, 'recover'],
    [{ event: 'STOPPED', host_status: 'NORMAL', cluster_status: 'ONLINE' }, 'recover'],
    [{ event: 'STARTED', host_status: 'NORMAL' }, 'finished'],
    [{ event: 'stopped', host_status: 'NORMAL' }, 'ignored'],
    [{ event: 'PAUSED', host_status: 'NORMAL' }, 'ignored'],
    [{ host_status: 'NORMAL' }, 'ignored'],
    [{}, 'ignored'],
  ])('%j: %s', (payload, wanted) => {
    expect(outcome(judgeHostReport(payload))).toBe(wanted)
  })
})

describe('reports about a guest (ha-api 13.1)', () => {
  test.each([
    ['LIFECYCLE', 'STOPPED_FAILED', 'recover'],
    ['IO_ERROR', 'IO_ERROR_REPORT', 'recover'],
    ['QEMU_GUEST_AGENT_ERROR', 'STOPPED_FAILED', 'recover'],
    ['LIFECYCLE', 'STARTED', 'ignored'],
    ['LIFECYCLE', 'IO_ERROR_REPORT', 'ignored'],
    ['IO_ERROR', 'STOPPED_FAILED', 'ignored'],
    ['lifecycle', 'STOPPED_FAILED', 'ignored'],
    ['LIFECYCLE/STOPPED_FAILED', '', 'ignored'],
    ['', '', 'ignored'],
  ])('%s %s: %s', (event, vir_domain_event, wanted) => {
    expect(outcome(judgeInstanceReport({ event, vir_domain_event }))).toBe(wanted)
  })
})

describe('reports about a process (ha-api 14)', () => {
  test.each([
    [{ event: 'STOPPED', process_name: 'nova-compute' }, 'recover'],
    [{ event: 'STOPPED', process_name: 'libvirtd' }, 'recover'],
    [{ event: 'STARTED', process_name: 'nova-compute' }, 'finished'],
    [{ event: 'stopped', process_name: 'nova-compute' }, 'ignored'],
    [{}, 'ignored'],
  ])('%j: %s', (payload, wanted) => {
    expect(outcome(judgeProcessReport(payload))).toBe(wanted)
  })
})
