import { proposeCompletions } from '@stricli/core'

import { createApplication } from './application.ts'
import type { CliContext } from './context.ts'

/**
 * Tells a shell what may stand in the place of the last word: one proposal a line, a tab, what it means.
 *
 * @param words what stands after `mainstay`, the last one as far as it is typed
 */
export async function complete(words: readonly string[], context: CliContext): Promise<void> {
  const application = await createApplication(words.length > 1 ? words : [], { debug: false })
  for (const { completion, brief } of await proposeCompletions(application, words, context)) {
    context.process.stdout.write(`${completion}\t${brief}\n`)
  }
}
