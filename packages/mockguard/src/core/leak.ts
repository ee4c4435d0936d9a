import type { Key } from './key.ts'

/** The rows of testkit.md B2: what can dangle. */
export type Kind =
  | 'K1'
  | 'K2'
  | 'K3'
  | 'K4'
  | 'K5'
  | 'K6'
  | 'K7'
  | 'K8'
  | 'K9'
  | 'K10'
  | 'K11'
  | 'K12'
  | 'K13'
  | 'K14'
  | 'K15'
  | 'K16'

/** Kinds that are looked at only when `strict` is on (testkit.md B6). */
export const strictKinds: ReadonlySet<Kind> = new Set(['K14', 'K15', 'K16'])

/** A test as the guard knows it; `id` is unique in the file, also among tests of the same name. */
export interface TestRef {
  readonly id: string
  readonly name: string
  readonly file: string
  readonly line?: number | undefined
}

/** Where and by what a mock was made. The trace is read only when the mock turns out to dangle. */
export interface Origin {
  readonly creator: string
  readonly owner: TestRef | null
  readonly trace: { readonly stack?: string | undefined }
}

/**
 * Something left behind, with the live objects needed to look again and to put it right.
 *
 * `owner`, `key` and `identity` are what makes two sightings the same leak: a different mock in the same slot is a new
 * one, the same mock in a new slot too (testkit.md B4, set difference).
 */
export interface Leak {
  readonly path: string
  readonly also: readonly string[]
  readonly kind: Kind
  readonly owner: object
  readonly key: Key
  readonly identity: unknown
  readonly origin: Origin | null
  readonly original: string
  readonly current: string
  readonly fix: string
  /** Puts back what was there. Throws when the target refuses. */
  readonly undo: () => void
  readonly isPresent: () => boolean
}
