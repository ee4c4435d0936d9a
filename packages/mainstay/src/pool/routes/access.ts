import type { FastifyRequest } from 'fastify'

import { MainstayError } from '../../core/errors.ts'
import { ForbiddenError, requestContextOf } from '../../http/index.ts'

/** Who asks, as far as the pool is concerned. */
export interface Caller {
  /** Sees and changes everything; others only what is theirs. */
  readonly isAdmin: boolean
  /** Whose machines the caller's are: the project, or the user without one; null for nobody. */
  readonly tenant: string | null
  /** For the audit. */
  readonly actor: string
}

/** The caller is nobody's, so nothing could be kept for them. */
export class NoTenantError extends MainstayError {
  readonly code = 'MS_POOL_NO_TENANT'
  readonly status = 403
  readonly retryable = false

  constructor() {
    super('Machines belong to a project or a user, and your token names neither. Ask for a token with a project.')
  }
}

export function callerOf(request: FastifyRequest): Caller {
  const { isAdmin, projectId, userId, userName, remoteAddress } = requestContextOf(request)
  const actor = userName ?? userId ?? projectId ?? (isAdmin ? 'an admin' : 'somebody')
  return {
    isAdmin,
    tenant: projectId ?? userId,
    actor: remoteAddress === null ? actor : `${actor} from ${remoteAddress}`,
  }
}

/** @throws ForbiddenError */
export function requireAdmin(request: FastifyRequest): Caller {
  const caller = callerOf(request)
  if (!caller.isAdmin) throw new ForbiddenError('mainstay:pools:update')
  return caller
}

/**
 * The owner that a request is for: admins name anybody, others themselves.
 *
 * @throws ForbiddenError, NoTenantError
 */
export function ownerOf({ isAdmin, tenant }: Caller, asked: string | undefined): string {
  if (isAdmin) return asked ?? tenant ?? 'admin'
  if (tenant === null) throw new NoTenantError()
  if (asked !== undefined && asked !== tenant) throw new ForbiddenError('mainstay:pools:acquire-for-others')
  return tenant
}

/** Whether the caller may see something of an owner. */
export function maySee({ isAdmin, tenant }: Caller, owner: string | null): boolean {
  return isAdmin || (tenant !== null && owner === tenant)
}
