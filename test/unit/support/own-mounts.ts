import { expect, type TestContext } from 'vitest'

import { runCommand } from '../../../packages/mainstay/src/core/child-process.ts'
import { parseJson, type JsonObject } from '../../../packages/mainstay/src/core/json.ts'
import { need, needThat } from '../../support/need.ts'

/**
 * Runs shell lines in a mount namespace of their own, or skips the test where that is not allowed. In the lines, `$1` is
 * Node and `$2` the program.
 *
 * @returns the last line that was printed, read as JSON
 */
export async function inOwnMounts(
  ctx: TestContext,
  { program, script, timeoutMs }: { program: string; script: string; timeoutMs: number },
): Promise<JsonObject> {
  const unshare = need(ctx, { program: 'unshare', package: 'util-linux' })
  const own = [unshare, '--mount', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'])] as const
  const probe = await runCommand([...own, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { timeoutMs })
  needThat(ctx, probe.exitCode === 0, `a mount namespace of our own is not allowed here: ${probe.stderr.trim()}`)
  const result = await runCommand([...own, 'sh', '-euc', script, 'sh', process.execPath, program], { timeoutMs })
  expect(result).toMatchObject({ exitCode: 0, killedBy: null })
  return parseJson(result.stdout.trim().split('\n').at(-1)!, 'the last line') as JsonObject
}
