import { ForbiddenError, requestContextOf, type Authorize } from '../http/index.ts'

/** The policy rules of recoveries, and of the hosts they work on. */
export const READ_RULE = 'mainstay:recoveries:read'
export const OPERATE_RULE = 'mainstay:recoveries:operate'

type AnyRequest = Parameters<typeof requestContextOf>[0]

/**
 * Lets a request pass that a policy rule allows.
 *
 * @returns who asks, for the records
 * @throws ForbiddenError
 */
export async function requireRule(authorize: Authorize, rule: string, request: AnyRequest): Promise<string> {
  const context = requestContextOf(request)
  if (!(await authorize(rule, context))) throw new ForbiddenError(rule)
  return context.userName ?? context.userId ?? 'an admin'
}
