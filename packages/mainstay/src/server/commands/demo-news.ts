import type { Recovery, RecoveryStep } from '../../client/index.ts'
import { isJsonObject, toJson, type Json } from '../../core/json.ts'

/** Something that has happened, to be told once. */
export interface DemoNews {
  readonly id: string
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  readonly text: string
}

/** What has happened of a recovery so far, oldest first. Only what is done is told as done. */
export function demoNews({ steps, decisions }: Pick<Recovery, 'steps' | 'decisions'>): DemoNews[] {
  const decided = decisions.map(({ at, rule, verdict, reasons }): DemoNews => {
    const because = reasons.length === 0 ? '' : `: ${reasons.slice(0, 2).join(', ')}`
    return { id: `${at} ${rule}`, at: Date.parse(at), text: `${verdict}${because}  [${rule}]` }
  })
  return [...decided, ...steps.flatMap(stepNews)].sort((a, b) => a.at - b.at)
}

function stepNews({ key, state, at, finishedAt, output, error }: RecoveryStep): DemoNews[] {
  const when = Date.parse(finishedAt ?? at)
  if (state === 'failed') return [{ id: `${key} failed`, at: when, text: `failed: ${error}` }]
  if (state !== 'done') return []
  if (key.endsWith('DisableComputeServiceTask')) return [{ id: key, at: when, text: 'no new guests are placed on it' }]
  const [, guest, act] = /EvacuateInstancesTask\/([0-9a-f]{8})[0-9a-f-]*\/(evacuate|confirm)$/.exec(key) ?? []
  if (act === 'evacuate') return [{ id: key, at: when, text: `guest ${guest} is being restarted elsewhere` }]
  return act === 'confirm' ? [{ id: key, at: when, text: `guest ${guest} runs on ${hostOf(output)}` }] : []
}

function hostOf(output: Json): string {
  const host = isJsonObject(output) ? output['host'] : output
  return typeof host === 'string' ? host : toJson(output)
}
