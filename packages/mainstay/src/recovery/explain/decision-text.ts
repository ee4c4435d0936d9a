import { isJsonObject, toJson, type Json } from '../../core/json.ts'

/** A verdict in words: what was decided, and why. */
export interface DecisionText {
  readonly verdict: string
  readonly reasons: readonly string[]
}

/**
 * Says a verdict of one of our rules in words. A verdict of an unknown form is shown as it is, so that nothing of a
 * decision is ever hidden.
 */
export function decisionText(verdict: Json): DecisionText {
  if (Array.isArray(verdict))
    return { verdict: verdict.map(nameOf).join(', then ') || 'nothing can be done', reasons: [] }
  if (!isJsonObject(verdict)) return { verdict: toJson(verdict), reasons: [] }
  const reasons = typeof verdict['because'] === 'string' ? [verdict['because']] : []
  if (typeof verdict['act'] === 'string') return { verdict: actText(verdict), reasons }
  if ('certificate' in verdict) return certificateText(verdict)
  if ('method' in verdict && 'evidence' in verdict) return certificateText({ certificate: verdict })
  if ('evacuate' in verdict) return selectionText(verdict)
  if ('targets' in verdict) return placementText(verdict)
  return { verdict: toJson(verdict), reasons }
}

type Members = { readonly [member: string]: Json }

function actText(verdict: Members): string {
  if (verdict['act'] === 'nothing') return `nothing to do (${nameOf(verdict['status'] ?? null)})`
  if (verdict['act'] === 'restart') return verdict['stopFirst'] === true ? 'stop, then start again' : 'start again'
  return nameOf(verdict['act'] ?? null)
}

function certificateText(verdict: Members): DecisionText {
  const { certificate, missing } = verdict
  if (!isJsonObject(certificate)) return { verdict: 'not proved dead', reasons: [nameOf(missing ?? null)] }
  const evidence = Array.isArray(certificate['evidence']) ? certificate['evidence'] : []
  const reasons = evidence
    .filter(isJsonObject)
    .map(({ source, saw }) => `${nameOf(source ?? null)}: ${nameOf(saw ?? null)}`)
  return { verdict: `proved dead by ${nameOf(certificate['method'] ?? null)}`, reasons }
}

function selectionText(verdict: Members): DecisionText {
  const count = Array.isArray(verdict['evacuate']) ? verdict['evacuate'].length : 0
  const left = Array.isArray(verdict['leave']) ? verdict['leave'].filter(isJsonObject) : []
  const reasons = left.map(({ name, because }) => `${nameOf(name ?? null)} stays: ${nameOf(because ?? null)}`)
  return { verdict: `evacuate ${count}, leave ${left.length}`, reasons }
}

function placementText(verdict: Members): DecisionText {
  const targets = isJsonObject(verdict['targets']) ? Object.entries(verdict['targets']) : []
  const homeless = Array.isArray(verdict['homeless']) ? verdict['homeless'] : []
  const reasons = [
    ...targets.map(([guest, host]) => `${guest} to ${nameOf(host)}`),
    ...homeless.map((guest) => `${nameOf(guest)}: no host has room`),
  ]
  return { verdict: `place ${targets.length}, no room for ${homeless.length}`, reasons }
}

function nameOf(value: Json): string {
  if (typeof value === 'string') return value
  if (isJsonObject(value) && value['kind'] === 'reserved' && isJsonObject(value['host'])) {
    return `reserved host ${nameOf(value['host']['name'] ?? null)}`
  }
  if (isJsonObject(value) && value['kind'] === 'auto') return 'any host'
  return toJson(value)
}
