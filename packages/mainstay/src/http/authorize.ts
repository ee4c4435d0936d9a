import type { RequestContext } from '../core/context.ts'

/** Whether a policy rule lets the caller do it. The rule must be a registered one. */
export type Authorize = (rule: string, context: RequestContext) => boolean
