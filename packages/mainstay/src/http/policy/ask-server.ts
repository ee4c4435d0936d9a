import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage } from '../../core/errors.ts'
import { toJson } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import type { Credentials, PolicyTarget } from './check.ts'

/** Whether the server at this address lets it pass. Never throws. */
export type AskServer = (
  url: string,
  question: { rule: string; target: PolicyTarget; credentials: Credentials },
) => Promise<boolean>

/**
 * Asks as oslo.policy does: a form with the rule, the target and the caller, each as JSON, and lets pass only what is
 * answered with `True`. A server that is away, answers late or anything else refuses.
 *
 * Source: ha-api.md 4.3; the exchange is documented with oslo.policy.
 */
export function askServer({
  clock,
  logger,
  timeoutMs,
}: {
  clock: Clock
  logger: Logger
  timeoutMs: number
}): AskServer {
  return async (url, { rule, target, credentials }) => {
    const form = { rule: toJson(rule), target: toJson(target), credentials: toJson(credentials) }
    try {
      return await withDeadline({ clock, what: `The policy's question to ${url}`, timeoutMs }, async (signal) => {
        const body = new URLSearchParams(form)
        const response = await fetch(url, { method: 'POST', body, redirect: 'error', signal })
        const text = await response.text()
        return response.ok && text.trim().replace(/^"|"$/g, '') === 'True'
      })
    } catch (error) {
      logger.warn({ err: error, rule }, `The policy refuses, for it could not ask ${url}: ${errorMessage(error)}`)
      return false
    }
  }
}
