import { wholeMs } from '../../core/format-duration.ts'
import type { FenceCertificate, FenceEvidence, FenceMethod } from '../../compute/index.ts'

/** What one fence method brought back: what was seen, or why nothing was. */
export type FenceReport =
  | { readonly method: FenceMethod; readonly evidence: readonly FenceEvidence[] }
  | { readonly method: FenceMethod; readonly missing: string }

export type FenceVerdict =
  | { readonly certificate: FenceCertificate }
  | {
      readonly certificate: null
      readonly missing: string
      /** Something was seen, but too long ago: looking again may help. */
      readonly stale: boolean
    }

/**
 * Makes a certificate from what was seen, or says what is missing. Evidence is the only thing that counts: a method
 * that ran without error and saw nothing proves nothing. The proof is as old as the last thing that was seen, however
 * much later it is judged: the host may have been switched on again meanwhile.
 *
 * @param now milliseconds since the Unix epoch
 *
 * Source: goals.md, safety principles 1 and 2.
 */
export function certify(
  host: string,
  reports: readonly FenceReport[],
  { now, validityMs }: { now: number; validityMs: number },
): FenceVerdict {
  let stale = false
  const missing: string[] = []
  for (const report of reports) {
    const { method } = report
    if ('missing' in report) {
      missing.push(`${method}: ${report.missing}`)
    } else if (report.evidence.length === 0) {
      missing.push(`${method}: it saw nothing`)
    } else {
      const { evidence } = report
      const provenAt = Math.max(...evidence.map(({ at }) => at))
      const validUntil = provenAt + validityMs
      if (now <= validUntil) return { certificate: { host, method, evidence, provenAt, validUntil, assertedBy: null } }
      stale = true
      missing.push(`${method}: what it saw is ${wholeMs(now - provenAt)} old`)
    }
  }
  return { certificate: null, missing: missing.join('; ') || 'no fence method is configured for it', stale }
}

/** A named person vouches for the host's death. Source: goals.md, safety principle 1. */
export function certifyAssertion(
  host: string,
  assertion: { readonly by: string; readonly reason: string; readonly at: number },
  { validityMs }: { validityMs: number },
): FenceCertificate {
  return {
    host,
    method: 'asserted',
    evidence: [{ at: assertion.at, source: assertion.by, saw: assertion.reason }],
    provenAt: assertion.at,
    validUntil: assertion.at + validityMs,
    assertedBy: assertion.by,
  }
}
