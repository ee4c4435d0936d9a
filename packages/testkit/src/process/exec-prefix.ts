import { isMainThread } from 'node:worker_threads'
import type { ProcessLimits } from '../spec.ts'
import { findExecutable, requireProgram } from './executable.ts'

/**
 * Programs that set something up and then become the server (they `exec`, so the server keeps the pid that we see).
 *
 * `setpriv --pdeathsig` makes the kernel kill the server when we die. Only from the main thread: the kernel watches the
 * thread that spawned, not the process. Source: testkit.md A4 (systemd), A10, A12.1 (limits).
 */
export function execPrefix(options: {
  systemd: boolean
  limits: ProcessLimits | undefined
  dieWithParent: boolean
}): string[] {
  const prefix: string[] = []
  // LISTEN_PID must be the server's own pid, which nobody knows before it runs.
  if (options.systemd) prefix.push('/bin/sh', '-c', 'export LISTEN_PID=$$; exec "$@"', 'listen-pid')
  if (options.limits !== undefined) prefix.push(requireProgram('prlimit'), ...limitArguments(options.limits))
  const setpriv =
    options.dieWithParent && isMainThread && process.platform === 'linux' ? findExecutable('setpriv') : undefined
  if (setpriv !== undefined) prefix.push(setpriv, '--pdeathsig', 'SIGKILL')
  return prefix
}

function limitArguments(limits: ProcessLimits): string[] {
  const { openFiles, cpuSeconds, virtualMemoryBytes } = limits
  return [
    ...(openFiles === undefined ? [] : [`--nofile=${openFiles}`]),
    ...(cpuSeconds === undefined ? [] : [`--cpu=${cpuSeconds}`]),
    ...(virtualMemoryBytes === undefined ? [] : [`--as=${virtualMemoryBytes}`]),
  ]
}
