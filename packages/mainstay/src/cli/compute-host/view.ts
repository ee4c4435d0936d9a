import type { ComputeHostRecord } from '../../client/index.ts'
import type { View } from '../output/view.ts'

const ALL = ['name', 'state', 'enabled', 'disabled_reason', 'memory_mib', 'free_memory_mib', 'vcpus']

export const computeHostView: View<ComputeHostRecord> = {
  columns: {
    name: (host) => host.name,
    state: (host) => host.state,
    enabled: (host) => host.enabled,
    disabled_reason: (host) => host.disabledReason,
    memory_mib: (host) => host.memoryMib,
    free_memory_mib: (host) => host.freeMemoryMib,
    vcpus: (host) => host.vcpus,
  },
  listed: ALL,
  shown: ALL,
}
