import type { Clock } from '../../core/clock.ts'
import { requestContext } from '../../core/context.ts'
import { SystemIds } from '../../core/ids.ts'
import { silentLogger } from '../../core/logging.ts'
import { Metrics } from '../../core/metrics.ts'
import { defaultRules } from '../../ha/index.ts'
import {
  Policy,
  UnauthorizedError,
  createHttpApp,
  registerNative,
  registerNativeNotFound,
  type Authorize,
  type HttpApp,
  type NativeDeps,
} from '../../http/index.ts'

/** The two sets of default rules. */
export type RoleSet = 'compatible' | 'reader-operator'
export const ROLE_SETS: readonly RoleSet[] = ['compatible', 'reader-operator']

/** The roles that tests go through; the last is a caller who does not say who they are. */
export const ROLES = ['admin', 'operator', 'reader', 'member', ''] as const
export type Role = (typeof ROLES)[number]

const MAY: Readonly<Record<`${RoleSet} ${'read' | 'operate'}`, readonly Role[]>> = {
  'compatible read': ['admin'],
  'compatible operate': ['admin'],
  'reader-operator read': ['admin', 'reader', 'operator'],
  'reader-operator operate': ['admin', 'operator'],
}

/** Who may read, and who may operate. Source: ha-api.md 4.3, docs/how-to/roles.md. */
export function mayDo(roles: RoleSet, role: Role, kind: 'read' | 'operate'): boolean {
  return MAY[`${roles} ${kind}`].includes(role)
}

/** Servers with the same native routes under both sets of rules; a caller's role stands in `X-Role`. */
export class RoleApps implements AsyncDisposable {
  readonly #apps: Readonly<Record<RoleSet, HttpApp>>

  private constructor(apps: Readonly<Record<RoleSet, HttpApp>>) {
    this.#apps = apps
  }

  static async start(clock: Clock, routes: (native: HttpApp, authorize: Authorize) => void): Promise<RoleApps> {
    const start = async (roles: RoleSet): Promise<HttpApp> => {
      const logger = silentLogger()
      const policy = new Policy({ clock, logger, defaults: defaultRules(roles) })
      const app = createHttpApp({ clock, ids: new SystemIds(), metrics: new Metrics() })
      const native = { clock, logger, authenticate: byHeader }
      await registerNative(app, native, (own) => routes(own, (rule, context) => policy.authorize(rule, context)))
      await registerNativeNotFound(app, native)
      return app
    }
    return new RoleApps({ compatible: await start('compatible'), 'reader-operator': await start('reader-operator') })
  }

  async ask(
    roles: RoleSet,
    role: Role,
    { method, url, body }: { method: 'GET' | 'POST' | 'PUT' | 'DELETE'; url: string; body?: object | undefined },
  ): Promise<{ status: number; body: unknown }> {
    const headers = role === '' ? {} : { 'x-role': role }
    const payload = body === undefined ? {} : { payload: body }
    const answer = await this.#apps[roles].inject({ method, url, headers, ...payload })
    return { status: answer.statusCode, body: answer.json() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const app of Object.values(this.#apps)) await app.close()
  }
}

const byHeader: NativeDeps['authenticate'] = async ({ headers, requestId, timestampMs }) => {
  const role = headers['x-role']
  if (typeof role !== 'string') throw new UnauthorizedError('Who are you?')
  return requestContext({ requestId, timestampMs, userName: 'kim', roles: [role], isAdmin: role === 'admin' })
}
