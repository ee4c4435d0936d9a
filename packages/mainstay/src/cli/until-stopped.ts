import { errorMessage } from '../core/errors.ts'
import type { CliContext } from './context.ts'
import type { Running } from './load-server.ts'

/**
 * Prints what the person needs to know, and waits until what runs has ended or the user has enough.
 *
 * @throws what made it end, or what went wrong while stopping
 */
export async function untilStopped({ process, signal, onReload }: CliContext, running: Running): Promise<void> {
  for (const line of running.banner) process.stdout.write(`${line}\n`)
  const enough = Promise.withResolvers<void>()
  const onAbort = (): void => enough.resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  const { reload } = running
  using _reloads = reload === undefined ? undefined : onReload?.(() => void readAgain(reload, process))
  try {
    await Promise.race([running.ended, enough.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
    await running.stop()
  }
}

/** A configuration that is wrong changes nothing: what runs goes on as it is. */
async function readAgain(reload: () => Promise<void>, { stdout, stderr }: CliContext['process']): Promise<void> {
  try {
    await reload()
    stdout.write('The configuration was read again.\n')
  } catch (error) {
    stderr.write(`mainstay: the configuration was not taken over: ${errorMessage(error)}\n`)
  }
}
