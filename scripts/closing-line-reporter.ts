import type { Reporter, TestCase, TestModule } from 'vitest/node'

import { noteSkippingFiles } from './last-run.ts'

/**
 * Ends a run with one line that people and scripts read: `Tests: N passed, N failed, N skipped`, after the reasons of
 * all that was skipped. A module that could not be loaded counts as one failure: its tests were never counted.
 */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 }
    const reasons = new Map<string, number>()
    const skipping = new Set<string>()
    for (const module of modules) {
      if (module.errors().length > 0) counts.failed += 1
      for (const test of module.children.allTests()) {
        const result = test.result()
        if (result.state === 'passed') counts.passed += 1
        else if (result.state === 'failed') counts.failed += 1
        else {
          counts.skipped += 1
          skipping.add(module.moduleId)
          const reason = skipReason(test)
          reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
        }
      }
    }
    noteSkippingFiles([...skipping])
    for (const [reason, count] of reasons) process.stdout.write(`skipped ${count}: ${reason}\n`)
    process.stdout.write(`Tests: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
  }
}

function skipReason(test: TestCase): string {
  const result = test.result()
  return (result.state === 'skipped' && result.note) || `${test.module.moduleId}: ${test.fullName} gives no reason`
}
