import type { RequestContext } from '../core/context.ts'

/** Whether a policy rule lets the caller do it; a rule may have to ask another server. It must be a registered one. */
export type Authorize = (rule: string, context: RequestContext) => boolean | Promise<boolean>
