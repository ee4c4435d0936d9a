import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, test, type TestContext, vi } from 'vitest'

import { answeringServer } from '../client/testing/answering-server.ts'
import { runCommand as runProgram, type CommandResult } from '../core/child-process.ts'
import { parseJson } from '../core/json.ts'
import { errorCode } from '../core/errors.ts'
import { runCommand } from './testing/run-command.ts'

// Every test has a database or a process of its own, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

const PROGRAM = fileURLToPath(new URL('../../bin/mainstay.mjs', import.meta.url))
const MANIFEST = new URL('../../package.json', import.meta.url)
const TIMEOUT_MS = 30_000

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-cli-'))
  await writeFile(join(directory, 'mainstay'), `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`, {
    mode: 0o755,
  })
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

async function mainstay(...argv: readonly string[]): Promise<CommandResult> {
  return await runProgram([process.execPath, PROGRAM, ...argv], { timeoutMs: TIMEOUT_MS })
}

/** Runs a script in a shell that finds the program under its name; a shell that is missing skips the test. */
async function shell(context: TestContext, name: string, script: string): Promise<string> {
  const env = { PATH: `${directory}${delimiter}${process.env['PATH'] ?? ''}` }
  try {
    const { stdout, stderr } = await runProgram([name, '-c', script], { timeoutMs: TIMEOUT_MS, env })
    expect(stderr).toBe('')
    return stdout
  } catch (error) {
    const missing = errorCode(error) === 'MS_COMMAND_NOT_FOUND' && process.env['MAINSTAY_TEST_ALL'] !== '1'
    context.skip(missing, `${name} not found: apt-get install ${name}`)
    throw error
  }
}

describe('the program', () => {
  test('tells its version, which is that of its manifest', async () => {
    const manifest = parseJson(await readFile(MANIFEST, 'utf8'), 'package.json')
    for (const flag of ['--version', '-v']) {
      const { exitCode, stdout, stderr } = await mainstay(flag)
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
      expect(manifest).toMatchObject({ version: stdout.trim() })
    }
  })

  test('ends with the exit code of the command, one line on standard error and nothing on standard output', async () => {
    await using server = await answeringServer(() => 'hang-up')
    expect(await mainstay('segment', 'list', '--endpoint', server.endpoint)).toMatchObject({
      exitCode: 4,
      stdout: '',
      stderr: expect.stringMatching(/^mainstay: No answer from [^\n]+\n$/) as string,
    })
    expect(await mainstay('segment', 'shwo')).toMatchObject({ exitCode: 2, stdout: '' })
  })

  test('prints a long list whole into a pipe', async () => {
    const segments = Array.from({ length: 2000 }, (_, index) => ({ id: index + 1, name: `segment-${index}` }))
    await using server = await answeringServer(({ path }) => ({
      body: { segments: path.includes('marker') ? [] : segments.toReversed() },
    }))
    const argv = ['segment', 'list', '--limit', '2000', '-f', 'value', '-c', 'name', '--endpoint', server.endpoint]
    const { exitCode, stdout } = await mainstay(...argv)
    expect(exitCode).toBe(0)
    expect(stdout.split('\n')).toHaveLength(2001)
  })

  test('does not complain when its reader has enough', async (context) => {
    const script = 'mainstay -h | head -n 1; mainstay segment list -h | head -n 1'
    expect(await shell(context, 'bash', script)).toBe('USAGE\nUSAGE\n')
  })

  test('stops following when it is interrupted, as if all were well', async (context) => {
    await using server = await answeringServer(() => ({ body: { segments: [] } }))
    const follow = `mainstay segment list -f json --watch --interval 50ms --endpoint ${server.endpoint}`
    const script = `${follow} > ${directory}/followed & pid=$!
for _ in $(seq 200); do [ -s ${directory}/followed ] && break; sleep 0.05; done
kill -TERM $pid; wait $pid; echo "exit $?"; cat ${directory}/followed`
    expect(await shell(context, 'bash', script)).toBe('exit 0\n[]\n')
  })
})

describe('completion', () => {
  test.each([
    [['seg'], ['segment']],
    [
      ['segment', ''],
      ['list', 'show', 'create', 'update', 'delete', 'host'],
    ],
    [['segment', 'list', '--rec'], ['--recovery-method']],
    [['segment', 'list', '-f', 'y'], ['yaml']],
    [
      ['segment', 'create', 's1', 'auto'],
      ['auto', 'auto_priority'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['nothing', ''], []],
  ])('after %j', async (words, completions) => {
    const { code, stdout } = await runCommand(['__complete', ...words])
    expect(code).toBe(0)
    const proposed = stdout.split('\n').filter((line) => line !== '')
    expect(proposed.map((line) => line.split('\t')[0])).toEqual(expect.arrayContaining(completions))
    expect(proposed.length > 0).toBe(completions.length > 0)
    for (const line of proposed) expect(line).toMatch(/^[^\t]+\t[^\t]*$/)
  })

  test('bash completes what is typed', async (context) => {
    const script = `source <(mainstay completion bash)
COMP_WORDS=(mainstay segment s); COMP_CWORD=2; _mainstay; echo "\${COMPREPLY[@]}"
COMP_WORDS=(mainstay recovery approve --reas); COMP_CWORD=3; _mainstay; echo "\${COMPREPLY[@]}"
complete -p mainstay`
    expect(await shell(context, 'bash', script)).toBe('show\n--reason\ncomplete -o default -F _mainstay mainstay\n')
  })

  test('zsh completes what is typed', async (context) => {
    const script = `compdef() { echo "compdef $@" }
_describe() { print -l -- "\${(@P)2}" }
source <(mainstay completion zsh)
words=(mainstay segment sh); CURRENT=3; _mainstay`
    expect(await shell(context, 'zsh', script)).toBe('compdef _mainstay mainstay\nshow:Show one failover segment\n')
  })

  test('fish completes what is typed', async (context) => {
    const script = "mainstay completion fish | source; complete -C 'mainstay segment sh'"
    expect(await shell(context, 'fish', script)).toBe('show\tShow one failover segment\n')
  })
})
