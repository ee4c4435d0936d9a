import { diff, snapshot } from './snapshot.ts'
import type { SnapshotOptions } from './snapshot.ts'

interface MatcherResult {
  readonly pass: boolean
  readonly message: () => string
}

/** For `expect.extend(matchers)`: `await expect(() => block()).toLeaveNoMocks()`. */
export const matchers = {
  async toLeaveNoMocks(block: () => unknown, options: SnapshotOptions = {}): Promise<MatcherResult> {
    const before = snapshot(options)
    await block()
    const left = diff(before, snapshot(options))
    const names = left.map((member) => member.path).join(', ')
    return {
      pass: left.length === 0,
      message: () =>
        left.length === 0 ? 'expected the block to leave a mock behind' : `the block left mocks behind: ${names}`,
    }
  },
}
