import { MainstayError } from '../core/errors.ts'
import { wholeMs } from '../core/format-duration.ts'

/** How a host was proved unable to write to its guests' disks. */
export type FenceMethod = 'guests-destroyed' | 'command' | 'asserted' | 'simulated'

/** One thing that was seen, not merely asked for: an exit code is no evidence, what was read afterwards is. */
export interface FenceEvidence {
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  readonly source: string
  readonly saw: string
}

/**
 * The only key that opens an evacuation: the proof that a host is dead.
 *
 * Source: goals.md, safety principle 1. It is plain data because it is written into the journal and read back.
 */
export interface FenceCertificate {
  readonly host: string
  readonly method: FenceMethod
  readonly evidence: readonly FenceEvidence[]
  /** Milliseconds since the Unix epoch. */
  readonly provenAt: number
  /** After this the proof is too old to act on: somebody may have switched the host on again. */
  readonly validUntil: number
  /** Who vouches for it, where a person does. */
  readonly assertedBy: string | null
}

/** Somebody tried to restart a host's guests elsewhere without proof that the host is dead. */
export class FenceUnprovenError extends MainstayError {
  readonly code = 'MS_FENCE_UNPROVEN'
  readonly status = 409
  readonly retryable = false

  constructor(host: string, missing: string) {
    super(
      `Host ${host} is not proved dead: ${missing}. Its guests were not restarted. ` +
        `Check its power yourself and run "mainstay fence ${host} --assert-dead --reason …", or repair the fence device.`,
    )
  }
}

/**
 * Lets a certificate through only when it proves this host dead now.
 *
 * @param now milliseconds since the Unix epoch
 * @throws FenceUnprovenError
 */
export function requireCertificate(
  certificate: FenceCertificate | undefined,
  host: string,
  now: number,
): FenceCertificate {
  if (certificate === undefined) throw new FenceUnprovenError(host, 'there is no fence certificate')
  if (certificate.host !== host) {
    throw new FenceUnprovenError(host, `the fence certificate is for host ${certificate.host}`)
  }
  if (certificate.evidence.length === 0) throw new FenceUnprovenError(host, 'the fence certificate has no evidence')
  if (now > certificate.validUntil) {
    throw new FenceUnprovenError(host, `the fence certificate expired ${wholeMs(now - certificate.validUntil)} ago`)
  }
  return certificate
}
