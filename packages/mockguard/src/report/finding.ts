import type { Kind, Leak, TestRef } from '../core/leak.ts'
import { framesOf } from './frames.ts'
import type { MapPosition } from './frames.ts'

/** A leak as it is printed and written: plain data. The first eight fields are the machine contract. */
export interface Finding {
  readonly type: 'leak'
  readonly file: string
  readonly test: string | null
  readonly path: string
  readonly kind: Kind
  readonly scope: 'test' | 'file'
  readonly createdAt: string | null
  readonly also: readonly string[]
  readonly creator: string | null
  /** `installFakes (test/helpers/fakes.ts:12)`, innermost first. */
  readonly frames: readonly string[]
  readonly line: number | null
  readonly original: string
  readonly current: string
  readonly fix: string
  readonly restored?: boolean
  readonly note?: string
}

export interface FindingContext {
  readonly file: string
  readonly root: string
  readonly mapPosition?: MapPosition | undefined
}

export function findingOf(leak: Leak, test: TestRef | null, context: FindingContext): Finding {
  const frames = framesOf(leak.origin?.trace.stack, context.root, context.mapPosition)
  const file = test?.file ?? context.file
  const inTest = frames.find((frame) => frame.file === file)
  return {
    type: 'leak',
    file,
    test: test?.name ?? null,
    path: leak.path,
    kind: leak.kind,
    scope: test ? 'test' : 'file',
    createdAt: frames[0] ? `${frames[0].file}:${frames[0].line}` : null,
    also: leak.also,
    creator: leak.origin?.creator ?? null,
    frames: frames
      .slice(0, 10)
      .map((frame) => (frame.name ? `${frame.name} (${frame.file}:${frame.line})` : `${frame.file}:${frame.line}`)),
    line: test?.line ?? inTest?.line ?? null,
    original: leak.original,
    current: leak.current,
    fix: leak.fix,
  }
}
