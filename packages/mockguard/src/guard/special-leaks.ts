import { nativeReflect } from '../core/natives.ts'
import { describeValue } from '../core/describe-value.ts'
import { ownData } from '../core/is-mock.ts'
import type { Leak, TestRef } from '../core/leak.ts'
import type { Scan } from '../core/scan.ts'
import type { Tracker } from '../core/tracker.ts'
import { fixFor } from './fix.ts'
import type { BehaviourWatch } from './behaviour.ts'

/** K10: a module mock that a test registered and did not take back. */
export function registryLeaks(tracker: Tracker, test: TestRef | null): Leak[] {
  const leaks: Leak[] = []
  for (const [key, entry] of tracker.registry) {
    const { owner } = entry.origin
    // Registered at file level it lives as long as the file does, like a hoisted mock.
    if (owner === null || (test !== null && owner.id !== test.id)) continue
    leaks.push({
      path: `${entry.origin.creator}#${entry.id}`,
      also: [],
      kind: 'K10',
      owner: tracker.registry,
      key,
      identity: entry,
      origin: entry.origin,
      original: 'the module itself',
      current: 'mocked for the next import',
      fix: fixFor(entry.origin.creator),
      undo() {
        entry.undo()
        tracker.registry.delete(key)
      },
      isPresent: () => tracker.registry.get(key) === entry,
    })
  }
  return leaks
}

/** K13 and K15: what a test left in a mock that outlives it. */
export function behaviourLeaks(watch: BehaviourWatch, tracker: Tracker, index: Scan | null, test: TestRef): Leak[] {
  return watch.look().flatMap(({ mock, queued, changed }): Leak[] => {
    const mine = queued.filter((owner) => owner === null || owner.id === test.id)
    if (mine.length === 0 && !changed) return []
    const slot = index?.slots.find((one) => one.mock === mock)
    const name = ownData(mock, 'getMockName')
    const label = typeof name === 'function' ? String(nativeReflect.apply(name, mock, [])) : 'mock'
    return [
      {
        path: slot?.path ?? `${test.file}#${label}`,
        also: slot?.also ?? [],
        kind: mine.length > 0 ? 'K13' : 'K15',
        owner: mock,
        key: mine.length > 0 ? 'queue' : 'implementation',
        identity: test.id,
        origin: tracker.originOf(mock),
        original: mine.length > 0 ? 'nothing queued' : 'the implementation before this test',
        current: mine.length > 0 ? `${mine.length} one-shot results nobody took` : describeValue(mock),
        fix: 'mockReset() in onTestFinished   or   a mock of the test’s own',
        undo: () => watch.reset(mock),
        isPresent: () =>
          watch.look().some((one) => one.mock === mock && (mine.length > 0 ? one.queued.length > 0 : one.changed)),
      },
    ]
  })
}
