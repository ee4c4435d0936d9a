import { mockguard } from '@mainstay/mockguard'
import { defineConfig } from 'vitest/config'

/**
 * The suites. `unit` needs nothing but Node; the others need programs of the machine and say so when one is missing.
 * A file's place decides its suite: sources carry their unit tests, `test/<suite>/` holds what crosses rooms.
 * Each is guarded: a test that leaves a mock, a variable, a listener, a fake clock, a patch or another directory behind
 * fails, and the test after it starts clean.
 */
const excluded = ['**/node_modules/**', '**/dist/**', '**/fixtures/**']

/** Inline projects inherit nothing of this from the root. */
const everywhere = {
  globals: false,
  unstubEnvs: true,
  // No test asserts how long something takes; a machine that is busy with other work fails none.
  expect: { poll: { timeout: 15_000 } },
} as const

const guarded = () => mockguard({ mode: 'restore+fail', strict: true })

export default defineConfig({
  test: {
    reporters: ['default', './scripts/closing-line-reporter.ts'],
    projects: [
      {
        plugins: [guarded()],
        test: {
          name: 'unit',
          ...everywhere,
          include: ['packages/*/src/**/*.test.ts', 'test/*.test.ts', 'test/unit/**/*.test.ts'],
          exclude: excluded,
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        plugins: [guarded()],
        test: {
          name: 'engines',
          ...everywhere,
          include: ['test/engines/**/*.test.ts'],
          exclude: excluded,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [guarded()],
        test: {
          name: 'e2e',
          ...everywhere,
          include: ['test/e2e/**/*.test.ts'],
          exclude: excluded,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [guarded()],
        test: {
          name: 'real',
          ...everywhere,
          include: ['test/real/**/*.test.ts'],
          exclude: excluded,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
