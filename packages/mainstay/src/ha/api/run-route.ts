import type { RequestContext } from '../../core/context.ts'
import { errorMessage, MainstayError } from '../../core/errors.ts'
import { parseJson, toJson, type Json } from '../../core/json.ts'
import { single } from '../../http/authenticate.ts'
import { BadRequestError, BodyTooLargeError, ForbiddenError, MethodNotAllowedError } from '../../http/errors.ts'
import type { Exchange } from '../../http/exchange.ts'
import { faultResponse } from '../../http/fault.ts'
import { requireJsonContent, responseType } from '../../http/media-type.ts'
import { formatVersion, requestedVersion, VersionOutOfRangeError, type Microversion } from '../../http/microversion.ts'
import { withHeaders, type PlainResponse } from '../../http/plain-response.ts'
import { tooLarge } from '../../http/status-page.ts'
import type { Target } from '../../http/target.ts'
import { StoreCorruptError, StoreSchemaError } from '../../store/index.ts'
import type { ActionDeps, Call } from './action.ts'
import { ACTIONS } from './actions.ts'
import { linkBase } from './link-base.ts'
import type { Route } from './route.ts'

interface Routed {
  readonly exchange: Exchange
  readonly target: Target
  readonly route: Exclude<Route, { kind: 'not-found' }>
  readonly context: RequestContext
}

/** Everything after the router: from the version to the action. Source: ha-api.md 5.1. */
export async function runRoute(deps: ActionDeps, routed: Routed): Promise<PlainResponse> {
  const { exchange, target } = routed
  let version: Microversion | undefined
  try {
    version = requestedVersion(single(exchange.headers['openstack-api-version']) ?? undefined)
    const { status, body } = await runChecked(deps, routed, version)
    return {
      status,
      headers: {
        'Content-Type': responseType(exchange.headers.accept, target.path),
        ...versionHeaders('masakari', formatVersion(version)),
      },
      body: body === undefined ? '' : toJson(body),
    }
  } catch (error) {
    if (error instanceof BodyTooLargeError) return tooLarge(exchange.headers.accept)
    const fault = faultOf(deps, error)
    const shown = error instanceof VersionOutOfRangeError ? error.text : version && formatVersion(version)
    return shown === undefined ? fault : withHeaders(fault, versionHeaders('instance-ha', shown))
  }
}

async function runChecked(
  deps: ActionDeps,
  { exchange, target, route, context }: Routed,
  version: Microversion,
): Promise<{ status: number; body: unknown }> {
  const { method, headers } = exchange
  requireJsonContent(single(headers['content-type']) ?? undefined)
  if (route.kind === 'unimplemented') throw new MethodNotAllowedError(method, route.verb)
  const action = ACTIONS[route.resource][route.verb]
  if (action === undefined) throw new MethodNotAllowedError(method, route.verb)
  const body = await readJson(deps, exchange)
  if (route.projectId !== null && route.projectId !== context.projectId) {
    throw new BadRequestError(
      `Malformed request URL: URL's project_id '${route.projectId}' doesn't match Context's project_id '${context.projectId}'.`,
    )
  }
  action.schema?.(version).check(body)
  if (!(await deps.authorize(action.policy, context))) throw new ForbiddenError(action.policy)
  const call: Call = {
    context,
    version,
    query: target.query,
    body,
    id: (resource) => route.ids[resource] ?? '',
    base: () => linkBase(exchange, deps.options),
    idempotencyKey: readIdempotencyKey(single(headers['idempotency-key'])),
    signal: exchange.signal,
  }
  return { status: action.successStatus, body: await action.run(deps, call) }
}

/** The body of a POST or PUT; an empty one is null. Bodies of other methods are not looked at. */
async function readJson({ options }: ActionDeps, exchange: Exchange): Promise<Json> {
  if (exchange.method !== 'POST' && exchange.method !== 'PUT') return null
  const bytes = await exchange.readBody(options.maxBodyBytes)
  if (bytes.length === 0) return null
  try {
    // A byte order mark is kept, and so refused: it is no JSON (RFC 8259, 8.1).
    return parseJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), 'The request body')
  } catch (error) {
    throw new BadRequestError(`Malformed request body: ${errorMessage(error)}`, { cause: error })
  }
}

const LONGEST_KEY = 255

/** Statuses of trouble that lies outside of this program. */
const MENDABLE: ReadonlySet<number> = new Set([503, 507])

function isMendable(error: MainstayError): boolean {
  return MENDABLE.has(error.status) || error instanceof StoreCorruptError || error instanceof StoreSchemaError
}

function readIdempotencyKey(header: string | null): string | null {
  if (header === null || header.length <= LONGEST_KEY) return header
  throw new BadRequestError(`The Idempotency-Key is longer than ${LONGEST_KEY} characters.`)
}

function versionHeaders(name: string, version: string): Record<string, string> {
  return { 'OpenStack-API-Version': `${name} ${version}`, Vary: 'OpenStack-API-Version' }
}

/**
 * What goes wrong for a reason that somebody can mend is told with that reason: a neighbour or the database that is away
 * (503), a full disk (507), a database file that is damaged or lacks tables (500). The rest is unexpected: ha-api.md 1.5 wants it reported.
 */
function faultOf({ logger }: ActionDeps, error: unknown): PlainResponse {
  if (error instanceof MainstayError && error.status < 500) return faultResponse(error.status, error.message)
  logger.error({ err: error }, 'A request failed')
  if (error instanceof MainstayError && isMendable(error)) {
    return faultResponse(error.status, error.message)
  }
  const name = error instanceof Error ? error.name : typeof error
  const detail = error instanceof MainstayError ? ` ${error.message}` : ''
  return faultResponse(
    500,
    `Unexpected API error (${name}).${detail} Please report it with the request id and the log of this service.`,
  )
}
