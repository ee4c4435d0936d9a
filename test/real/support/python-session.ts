import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

import { runCommand } from '../../../packages/mainstay/src/core/child-process.ts'
import { parseJson, toJson, type Json } from '../../../packages/mainstay/src/core/json.ts'
import { needThat, type Skipping } from '../../support/need.ts'

/** The machine's own Python, where Debian's packages are. */
const PYTHON = '/usr/bin/python3'

/** Skips, or fails under `MAINSTAY_TEST_ALL=1`, when Python cannot import the modules. */
export async function needPythonModules(ctx: Skipping, modules: readonly string[], packages: string): Promise<void> {
  const result = await runCommand([PYTHON, '-c', `import ${modules.join(', ')}`], { timeoutMs: 60_000 }).catch(
    () => undefined,
  )
  needThat(ctx, result?.exitCode === 0, `${modules.join(', ')} not found: apt-get install ${packages}`)
}

/** A Python program that answers each line of JSON with a line of JSON. */
export class PythonSession implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: Interface
  readonly #answers: AsyncIterator<string>

  constructor(script: string, env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(PYTHON, ['-W', 'ignore', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1', ...env },
    })
    this.#lines = createInterface({ input: this.#child.stdout })
    this.#answers = this.#lines[Symbol.asyncIterator]()
  }

  /** Sends a line that is not answered. */
  tell(line: unknown): void {
    this.#child.stdin.write(`${toJson(line)}\n`)
  }

  async ask(line: unknown): Promise<Json> {
    this.tell(line)
    const answer = await this.#answers.next()
    if (answer.done === true) throw new Error(`The Python program ended instead of answering ${toJson(line)}.`)
    return parseJson(answer.value, 'the answer of the Python program')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end()
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
  }
}
