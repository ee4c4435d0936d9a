import type { CliContext } from './context.ts'
import type { Running } from './load-server.ts'

/**
 * Prints what the person needs to know, and waits until what runs has ended or the user has enough.
 *
 * @throws what made it end, or what went wrong while stopping
 */
export async function untilStopped({ process, signal }: CliContext, running: Running): Promise<void> {
  for (const line of running.banner) process.stdout.write(`${line}\n`)
  const enough = Promise.withResolvers<void>()
  const onAbort = (): void => enough.resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    await Promise.race([running.ended, enough.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
    await running.stop()
  }
}
