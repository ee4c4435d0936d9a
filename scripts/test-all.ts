import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { skippingFiles } from './last-run.ts'
import { installPackages, missingPackages, whyNotInstall } from './install-packages.ts'
import { runStep, type Step } from './run-steps.ts'
import { SYSTEM_PACKAGES } from './system-packages.ts'

/**
 * `npm run test:all`: the suites that need programs of the machine. Installs what is missing where it may, and turns the
 * skips of what is missing all the same into failures. With `--rest`, right after `npm test`: of the tests only those
 * files in which that run skipped something.
 */
const missing = missingPackages(SYSTEM_PACKAGES)
const obstacle = whyNotInstall()
if (missing.length === 0) {
  console.log('All packages that the tests need are installed.')
} else {
  for (const { name, neededBy } of missing) console.log(`missing: ${name} (${neededBy})`)
  if (obstacle !== undefined) console.log(`Not installed: ${obstacle}. The tests that need them will fail.`)
  else if (!(await installPackages(missing)))
    console.log('Some could not be installed. The tests that need them will fail.')
}

const env = { MAINSTAY_TEST_ALL: '1' }
const crash = fileURLToPath(new URL('../test/crash/run.ts', import.meta.url))
const { values, positionals } = parseArgs({ options: { rest: { type: 'boolean' } }, allowPositionals: true })
const left =
  values.rest === true ? skippingFiles()?.filter((file) => /\/test\/(?:engines|e2e|real)\//.test(file)) : undefined
const projects = ['engines', 'e2e', 'real'].flatMap((project) => ['--project', project])
const steps: Step[] = [
  ...(existsSync(crash) ? [{ title: 'crash', command: ['node', crash, '--json'], env } as const] : []),
  // A unit test, but of programs that `npm test` does not install.
  { title: 'completion', command: ['vitest', 'run', '--project', 'unit', 'packages/mainstay/src/cli/program'], env },
  // Runs in `npm test` too, but there with a twentieth of the requests.
  ...(left === undefined
    ? []
    : [{ title: 'fuzz', command: ['vitest', 'run', '--project', 'e2e', 'test/e2e/ha-fuzz.test.ts'], env } as const]),
  ...(left?.length === 0
    ? []
    : [{ title: 'tests', command: ['vitest', 'run', ...projects, ...positionals, ...(left ?? [])], env } as const]),
]

// All of them, also after a failure: one run should show everything that is wrong.
const outcomes = []
for (const step of steps) outcomes.push(await runStep(step))
process.stdout.write('\n')
if (left?.length === 0) console.log('No test of npm test was left out.')
for (const { title, code, lastLine } of outcomes) {
  // The last is the closing line of the tests, as people and scripts look for it.
  console.log(
    title === 'tests' ? lastLine : `${title}: ${code === 0 ? 'passed' : `failed (exit ${code})`}: ${lastLine}`,
  )
}
process.exitCode = outcomes.some(({ code }) => code !== 0) ? 1 : 0
