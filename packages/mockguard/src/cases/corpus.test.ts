import { expect, test } from 'vitest'
import { baseFiles, dialects, testFile } from '../testing/dialects.ts'
import { Project } from '../testing/project.ts'
import { corpus } from './corpus.ts'

/**
 * Several hundred small tests, half of which leave something behind, run by each runner. The guard restores after each,
 * so that one leak cannot be counted for another test. Recall: leaking tests that were named. False alarms: clean tests
 * that were named.
 */
const testsPerFile = 80

test.each(dialects.map((d) => ({ runner: d.runner, d })))(
  'a corpus of leaking and clean tests under $runner',
  { timeout: 120_000 },
  async ({ runner, d }) => {
    const tests = corpus(d)
    const imports = [
      d.imports('Svc, Outer, svc, single, bus, handlers', '../src/svc.js'),
      ...(runner === 'jest'
        ? [
            "const sinon = require('sinon')",
            "const fs = require('fs')",
            "const childProcess = require('child_process')",
            "const http = require('http')",
          ]
        : [
            "import sinon from 'sinon'",
            "import fs from 'node:fs'",
            "import childProcess from 'node:child_process'",
            "import http from 'node:http'",
          ]),
    ].join('\n')
    const files: Record<string, string> = {}
    for (let at = 0; at < tests.length; at += testsPerFile) {
      const lines = tests
        .slice(at, at + testsPerFile)
        .map(({ name, body }) => `test(${JSON.stringify(name)}, async (t) => { ${body} })`)
      files[`test/corpus-${at}.test.js`] = testFile(d, imports, lines.join('\n'))
    }
    using project = new Project({ ...baseFiles(runner), ...files })
    const env = { MOCKGUARD: 'restore+fail', MG_GIVEN: 'given' }
    const run = await project.run(runner, { env, args: runner === 'node:test' ? ['test/*.test.js'] : [] })

    const named = new Set(run.findings.map((finding) => finding.test))
    const leaking = tests.filter((one) => one.leaks)
    const clean = tests.filter((one) => !one.leaks)
    const missed = leaking.filter((one) => !named.has(one.name)).map((one) => one.name)
    const alarms = clean.filter((one) => named.has(one.name)).map((one) => one.name)
    const recall = 1 - missed.length / leaking.length
    const falseAlarms = alarms.length / clean.length
    process.stdout.write(
      `mockguard corpus, ${runner}: ${leaking.length} leaking, ${clean.length} clean; recall ${(recall * 100).toFixed(2)} %, false alarms ${(falseAlarms * 100).toFixed(2)} %\n`,
    )

    expect(run.tests).toHaveLength(tests.length)
    expect(leaking.length).toBeGreaterThanOrEqual(200)
    expect(clean.length).toBeGreaterThanOrEqual(200)
    expect(recall).toBeGreaterThanOrEqual(0.98)
    expect(falseAlarms).toBeLessThanOrEqual(0.01)
    expect(run.findings.filter((finding) => finding.test === null)).toEqual([])
  },
)
