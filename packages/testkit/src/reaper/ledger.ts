import type { ProcessIdentity } from '../process/process-table.ts'
import type { ReaperEvent } from './reaper-events.ts'

/** What a test process has open at this moment, as its reaper knows it. */
export class Ledger {
  readonly processes = new Map<number, ProcessIdentity & { readonly signal: NodeJS.Signals }>()
  readonly markers = new Set<string>()
  readonly dirs = new Set<string>()
  readonly mounts = new Set<string>()
  readonly leases = new Set<string>()
  readonly databases = new Map<string, { command: readonly string[]; env: Record<string, string> }>()

  note(event: Exclude<ReaperEvent, { event: 'bye' } | { event: 'sweep' }>): void {
    switch (event.event) {
      case 'add':
        this.processes.set(event.process.pid, { ...event.process, signal: event.signal })
        break
      case 'del':
        this.processes.delete(event.pid)
        break
      case 'run':
        this.markers.add(event.marker)
        break
      case 'forget-run':
        this.markers.delete(event.marker)
        break
      case 'dir':
        this.dirs.add(event.path)
        break
      case 'forget-dir':
        this.dirs.delete(event.path)
        break
      case 'mount':
        this.mounts.add(event.path)
        break
      case 'forget-mount':
        this.mounts.delete(event.path)
        break
      case 'lease':
        this.leases.add(event.path)
        break
      case 'forget-lease':
        this.leases.delete(event.path)
        break
      case 'db':
        this.databases.set(event.id, { command: event.command, env: event.env })
        break
      case 'forget-db':
        this.databases.delete(event.id)
        break
    }
  }
}
