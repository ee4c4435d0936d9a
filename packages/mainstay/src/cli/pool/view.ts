import type {
  GrantedLease,
  PoolDecision,
  PoolGroupCounts,
  PoolLabelReport,
  PoolProvider,
  PoolRequest,
  PoolVm,
} from '../../client/index.ts'
import { formatZulu } from '../../core/timestamp.ts'
import type { View } from '../output/view.ts'

const vmColumns = {
  name: (vm: PoolVm) => vm.name,
  group: (vm: PoolVm) => vm.group,
  state: (vm: PoolVm) => vm.state,
  state_since: (vm: PoolVm) => vm.stateSince,
  ip: (vm: PoolVm) => vm.ip,
  owner: (vm: PoolVm) => vm.owner,
  sandbox: (vm: PoolVm) => vm.sandbox,
  worker: (vm: PoolVm) => vm.worker,
  task_id: (vm: PoolVm) => vm.taskId,
  build_id: (vm: PoolVm) => vm.buildId,
  chroot: (vm: PoolVm) => vm.chroot,
  request_id: (vm: PoolVm) => vm.requestId,
  in_use_since: (vm: PoolVm) => vm.inUseSince,
  lease_expires_at: (vm: PoolVm) => vm.leaseExpiresAt,
  uses: (vm: PoolVm) => vm.uses,
  last_release: (vm: PoolVm) => vm.lastRelease,
  check_passed_at: (vm: PoolVm) => vm.checkPassedAt,
  check_fails: (vm: PoolVm) => vm.checkFails,
  provider: (vm: PoolVm) => vm.provider,
  provider_id: (vm: PoolVm) => vm.providerId,
  created_at: (vm: PoolVm) => vm.createdAt,
  drain: (vm: PoolVm) => vm.drain,
  hold_until: (vm: PoolVm) => vm.holdUntil,
  hold_reason: (vm: PoolVm) => vm.holdReason,
  terminating_since: (vm: PoolVm) => vm.terminatingSince,
  terminate_reason: (vm: PoolVm) => vm.terminateReason,
}

export const vmView: View<PoolVm> = {
  columns: vmColumns,
  listed: ['name', 'group', 'state', 'ip', 'owner', 'sandbox', 'worker', 'uses', 'check_fails'],
  shown: Object.keys(vmColumns),
}

export const leaseView: View<GrantedLease> = {
  columns: {
    name: (lease) => lease.name,
    ip: (lease) => lease.ip,
    group: (lease) => lease.vm.group,
    token: (lease) => lease.token,
    expires_at: (lease) => lease.expiresAt,
  },
  listed: ['name', 'ip', 'group', 'token', 'expires_at'],
  shown: ['name', 'ip', 'group', 'token', 'expires_at'],
}

export const requestView: View<PoolRequest> = {
  columns: {
    id: (request) => request.id,
    status: (request) => request.status,
    owner: (request) => request.owner,
    groups: (request) => request.groups,
    count: (request) => request.count,
    priority: (request) => request.priority,
    worker: (request) => request.worker,
    task_id: (request) => request.taskId,
    submitted_at: (request) => request.submittedAt,
    wait_until: (request) => request.waitUntil,
  },
  listed: ['id', 'owner', 'groups', 'count', 'priority', 'submitted_at', 'wait_until'],
  shown: ['id', 'status', 'owner', 'groups', 'count', 'priority', 'worker', 'task_id', 'submitted_at', 'wait_until'],
}

export const providerView: View<PoolProvider> = {
  columns: {
    name: (provider) => provider.name,
    priority: (provider) => provider.priority,
    weight: (provider) => provider.weight,
    success_rate: (provider) => Number(provider.health.successRate.toFixed(3)),
    start_ms: (provider) => provider.health.startMs,
    failures_in_row: (provider) => provider.health.failuresInRow,
    draining: (provider) => provider.draining,
    not_asked_because: (provider) => provider.refusal?.because ?? null,
    until: (provider) => timeOf(provider.refusal?.until),
    disabled_because: (provider) => provider.health.disabledBecause,
  },
  listed: ['name', 'priority', 'weight', 'success_rate', 'start_ms', 'not_asked_because', 'until'],
  shown: ['name', 'priority', 'weight', 'success_rate', 'start_ms', 'not_asked_because', 'until', 'disabled_because'],
}

export const decisionView: View<PoolDecision> = {
  columns: {
    do: (decision) => decision.do,
    subject: (decision) => decision.vm ?? decision.request ?? decision.group ?? null,
    group: (decision) => decision.group ?? null,
    count: (decision) => decision.count ?? null,
    because: (decision) => decision.because,
  },
  listed: ['do', 'subject', 'count', 'because'],
  shown: ['do', 'subject', 'group', 'count', 'because'],
}

export const groupView: View<PoolGroupCounts> = {
  columns: {
    group: ({ group }) => group,
    free: ({ free }) => free,
    clean: ({ clean }) => clean,
    ready: ({ states }) => states.ready,
    in_use: ({ states }) => states.in_use,
    waiting: ({ waiting }) => waiting,
    making: ({ states }) => states.requested + states.building + states.starting,
    checking: ({ states }) => states.got_ip + states.check_health,
    check_failed: ({ states }) => states.check_health_failed,
    resetting: ({ states }) => states.resetting,
    held: ({ states }) => states.held,
    drained: ({ states }) => states.drained,
    standby: ({ states }) => states.standby,
    terminating: ({ states }) => states.terminating,
    stuck: ({ states }) => states.stuck,
  },
  listed: [
    'group',
    'free',
    'clean',
    'ready',
    'in_use',
    'waiting',
    'making',
    'checking',
    'check_failed',
    'terminating',
    'stuck',
  ],
  shown: ['group', 'free', 'clean', 'ready', 'in_use', 'waiting'],
}

export const labelView: View<PoolLabelReport> = {
  columns: {
    label: ({ label }) => label,
    wants_idle: ({ target }) => target.idle,
    clean: ({ stock }) => stock.clean,
    arriving: ({ stock }) => stock.arriving,
    in_use: ({ stock }) => stock.inUse,
    standby: ({ stock }) => stock.standby,
    missing: ({ unmet }) => unmet?.count ?? 0,
    because: ({ target, unmet }) => unmet?.because ?? target.because,
  },
  listed: ['label', 'wants_idle', 'clean', 'arriving', 'in_use', 'standby', 'missing', 'because'],
  shown: ['label', 'wants_idle', 'clean', 'arriving', 'in_use', 'standby', 'missing', 'because'],
}

function timeOf(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : formatZulu(ms)
}
