import { runSteps } from './run-steps.ts'

/** `npm test`: everything that this machine can check without installing anything. */
process.exitCode = await runSteps([
  { title: 'types', command: ['tsc', '-b'] },
  { title: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { title: 'format', command: ['oxfmt', '--check', '.'] },
  { title: 'tests', command: ['vitest', 'run', ...process.argv.slice(2)] },
])
