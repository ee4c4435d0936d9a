import { aroundAll, aroundEach, beforeEach, inject, vi } from 'vitest'
import type { openFile as OpenFile } from './run-file.ts'

/**
 * The set-up file. Vitest evaluates it for every test file through its own transform, so it is short, and everything
 * else is loaded by Node itself: the guard must not be among the modules that it looks at.
 *
 * The check runs around the test, not in a hook: after `afterEach`, cleanups, fixtures, `onTestFinished` and
 * `onTestFailed` (testkit.md B5). `beforeEach` of a set-up file comes after the runner's own restoring and before
 * every hook of the file.
 */
const nodeModule = process.getBuiltinModule('node:module')
// Every worker loads the guard anew: compiled code that is kept between runs makes that five times cheaper. With coverage
// on, Node's own cache would make the counts less precise.
if (process.env['NODE_V8_COVERAGE'] === undefined) nodeModule.enableCompileCache()
const options = inject('mockguard')
const { openFile } = nodeModule.createRequire(import.meta.url)(
  options?.guard ?? (import.meta.url.endsWith('.ts') ? './run-file.ts' : './run-file.js'),
) as {
  openFile: typeof OpenFile
}

const file = openFile({ vi, options, globals: globalThis })

if (file) {
  aroundAll(async (runSuite) => {
    await file.begin()
    await runSuite()
    file.end()
  })

  aroundEach(async (runTest, { task }) => {
    await file.within(task, runTest)
    file.afterTest(task)
  })

  beforeEach(async ({ task, skip }) => {
    await file.beforeTest(task, skip)
  })
}
