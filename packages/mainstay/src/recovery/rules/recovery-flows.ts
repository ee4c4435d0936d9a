import type { RecoveryMethod } from '../../ha/index.ts'

/** One way to bring a host's guests back; the next is taken when it fails. */
export type RecoveryFlow =
  | { readonly kind: 'auto' }
  | { readonly kind: 'reserved'; readonly host: { readonly uuid: string; readonly name: string } }

/**
 * The ways in which a segment's method brings guests back, in order.
 *
 * @param candidates the segment's free reserved hosts, the one to be used first at the front
 * @returns an empty list when the method needs a reserved host and there is none
 *
 * Source: ha-api.md 12.2.
 */
export function recoveryFlows(
  method: RecoveryMethod,
  candidates: readonly { readonly uuid: string; readonly name: string }[],
): RecoveryFlow[] {
  const reserved = candidates.map(({ uuid, name }): RecoveryFlow => ({ kind: 'reserved', host: { uuid, name } }))
  switch (method) {
    case 'auto':
      return [{ kind: 'auto' }]
    case 'reserved_host':
      return reserved
    case 'auto_priority':
      return [{ kind: 'auto' }, ...reserved]
    case 'rh_priority':
      return [...reserved, { kind: 'auto' }]
  }
}
