import { createInterface } from 'node:readline'

import { runHook } from '../run-hook.ts'

/** A process of its own, to be killed: runs each line of its input as a shell script, as a hook, until it is gone. */
for await (const script of createInterface({ input: process.stdin })) {
  const options = { name: 'create', timeoutMs: 600_000, killGraceMs: 600_000, env: {} }
  void runHook(['sh', '-c', script], { ...options, signal: new AbortController().signal }).catch(() => undefined)
}
