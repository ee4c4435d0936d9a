import { isJsonObject, type Json } from '../core/json.ts'
import type { ProgressDetail } from '../ha/index.ts'
import type { RecordedEntry, WorkflowStatus } from '../journal/index.ts'

/**
 * A recovery as Masakari's `recovery_workflow_details` show it: the tasks of each flow, in the order in which they
 * began, with their lines of progress.
 *
 * A step's key is `<flow>/<task>/…`; what has no task in its key is no task of Masakari's and is not shown. Only tasks
 * that reported something appear. Source: ha-api.md 16.
 */
export function progressDetails(history: readonly RecordedEntry[], status: WorkflowStatus): ProgressDetail[] {
  const tasks = new Map<string, Task>()
  for (const entry of history) {
    const place = taskOf(entry.key)
    if (place === undefined) continue
    const task = tasks.get(place.id) ?? { ...place, open: new Set(), failed: false, progress: 0, steps: [] }
    tasks.set(place.id, task)
    if (entry.kind === 'progress') {
      const { fraction, message } = entry.data
      task.progress = fraction
      task.steps.push({ at: entry.at, progress: fraction, message })
    } else if (entry.kind === 'intent') {
      task.open.add(entry.key)
    } else if (entry.kind === 'outcome') {
      task.open.delete(entry.key)
    } else if (entry.kind === 'failure' && entry.data.retryAt === null) {
      task.open.delete(entry.key)
      task.failed = true
    } else if (entry.kind === 'decision' && isSkip(entry.data.verdict)) {
      task.failed = true
    }
  }
  const flows = Map.groupBy(tasks.values(), ({ flow }) => flow)
  const ended = status === 'completed' || status === 'failed' || status === 'cancelled'
  return [...flows.values()].flatMap((ofFlow) => {
    // A flow that failed takes back, in name only, the tasks that it had done (ha-api.md 12.2).
    const reverted = ofFlow.some(({ failed }) => failed)
    return ofFlow.filter(({ steps }) => steps.length > 0).map((task) => detail(task, reverted, ended))
  })
}

/** Whether a rule said that there is nothing to do, with which Masakari ends a flow as if it had failed. */
function isSkip(verdict: Json): boolean {
  if (!isJsonObject(verdict)) return false
  return verdict['act'] === 'nothing' || (Array.isArray(verdict['evacuate']) && verdict['evacuate'].length === 0)
}

interface Task {
  readonly id: string
  readonly flow: string
  readonly name: string
  /** Steps that began and did not end. */
  readonly open: Set<string>
  readonly steps: { at: number; progress: number; message: string }[]
  failed: boolean
  progress: number
}

function taskOf(key: string): { id: string; flow: string; name: string } | undefined {
  const parts = key.split('/')
  const at = parts.findIndex((part) => part.endsWith('Task'))
  if (at === -1) return undefined
  const flow = parts.slice(0, at).join('/')
  return { id: `${flow}/${parts[at]}`, flow, name: parts[at]! }
}

function detail(task: Task, reverted: boolean, ended: boolean): ProgressDetail {
  const running = task.open.size > 0 && !ended
  const state = reverted ? 'REVERTED' : running ? 'RUNNING' : 'SUCCESS'
  return { name: task.name, progress: state === 'SUCCESS' ? 1 : task.progress, state, steps: task.steps }
}
