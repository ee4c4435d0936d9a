import * as fc from 'fast-check'

import { toJson } from '../../../packages/mainstay/src/core/json.ts'
import { header, query, value } from './any-request.ts'

/** Requests for every route and about records that exist. Most are good; the others have one thing wrong with them. */

const yesOrNo = fc.constantFrom(true, false, 'yes', 'Off', '1')
const rarely = fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: yesOrNo })
const description = fc.oneof(fc.constantFrom(null, '', 'two\nlines'), fc.string())
const unique = (prefix: string): fc.Arbitrary<string> => fc.uuid().map((uuid) => `${prefix}-${uuid}`)

const segment = {
  name: unique('s'),
  recovery_method: fc.constantFrom('auto', 'reserved_host', 'auto_priority', 'rh_priority'),
  service_type: fc.constantFrom('COMPUTE', 'two words', 'ä'),
  description,
  enabled: yesOrNo,
}
const host = {
  name: unique('h'),
  type: fc.constantFrom('COMPUTE', ''),
  control_attributes: fc.constantFrom('SSH', '', 'a\nb'),
  reserved: rarely,
  on_maintenance: rarely,
}
const generatedTime = fc
  .date({ min: new Date('2020-01-01T00:00:00Z'), max: new Date('2030-01-01T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString())
const event = fc.constantFrom('STARTED', 'STOPPED')
const report = fc.oneof(
  fc.record({
    type: fc.constant('COMPUTE_HOST'),
    payload: fc.record(
      {
        event,
        host_status: fc.constantFrom('NORMAL', 'UNKNOWN'),
        cluster_status: fc.constantFrom('ONLINE', 'OFFLINE'),
      },
      { requiredKeys: ['event'] },
    ),
  }),
  fc.record({
    type: fc.constant('VM'),
    payload: fc.record({
      instance_uuid: fc.uuid(),
      event: fc.constantFrom('LIFECYCLE', 'x'),
      vir_domain_event: fc.constantFrom('STOPPED_FAILED', 'y'),
    }),
  }),
  fc.record({ type: fc.constant('PROCESS'), payload: fc.record({ process_name: unique('nova'), event }) }),
)
const number = fc.nat(1000)
const notification = fc
  .tuple(report, number, generatedTime)
  .map(([said, index, generated]) => ({ ...said, hostname: `{hostName:${index}}`, generated_time: generated }))

interface Body {
  readonly name: string
  readonly members: fc.Arbitrary<object>
}

interface GoodRoute {
  readonly weight: number
  readonly method: string
  /** `#` stands for the number of the record. */
  readonly path: string
  readonly body?: Body
}

const newSegment = fc.record(segment, { requiredKeys: ['name', 'recovery_method', 'service_type'] })
const newHost = fc.record(host, { requiredKeys: ['name', 'type', 'control_attributes'] })
const changed = (members: object): boolean => Object.keys(members).length > 0
const segmentChange = fc.record(segment, { requiredKeys: [] }).filter(changed)
const hostChange = fc.record(host, { requiredKeys: [] }).filter(changed)

const ROUTES: readonly GoodRoute[] = [
  { weight: 1, method: 'GET', path: '/v1' },
  { weight: 1, method: 'GET', path: '/v1/extensions' },
  { weight: 1, method: 'GET', path: '/v1/extensions/vmoves' },
  { weight: 2, method: 'GET', path: '/v1/segments' },
  { weight: 4, method: 'POST', path: '/v1/segments', body: { name: 'segment', members: newSegment } },
  { weight: 2, method: 'GET', path: '/v1/segments/{segment:#}' },
  { weight: 2, method: 'PUT', path: '/v1/segments/{segment:#}', body: { name: 'segment', members: segmentChange } },
  { weight: 2, method: 'DELETE', path: '/v1/segments/{segment:#}' },
  { weight: 2, method: 'GET', path: '/v1/segments/{segment:#}/hosts' },
  { weight: 6, method: 'POST', path: '/v1/segments/{segment:#}/hosts', body: { name: 'host', members: newHost } },
  { weight: 2, method: 'GET', path: '/v1/segments/{hostSegment:#}/hosts/{host:#}' },
  {
    weight: 2,
    method: 'PUT',
    path: '/v1/segments/{hostSegment:#}/hosts/{host:#}',
    body: { name: 'host', members: hostChange },
  },
  { weight: 2, method: 'DELETE', path: '/v1/segments/{hostSegment:#}/hosts/{host:#}' },
  { weight: 2, method: 'GET', path: '/v1/notifications' },
  { weight: 5, method: 'POST', path: '/v1/notifications', body: { name: 'notification', members: notification } },
  { weight: 2, method: 'GET', path: '/v1/notifications/{notification:#}' },
  { weight: 2, method: 'GET', path: '/v1/notifications/{vmoveParent:#}/vmoves' },
  { weight: 2, method: 'GET', path: '/v1/notifications/{vmoveParent:#}/vmoves/{vmove:#}' },
]

/** The routes that good requests are for; those of ha-api.md 1.1. */
export const GOOD_LABELS: readonly string[] = ROUTES.map(labelOf)

function labelOf({ method, path }: GoodRoute): string {
  return `${method} ${path.replaceAll(/\{(\w+):#\}/g, '{$1}')}`
}

/** One thing that is not as it should be. */
const flaw = fc.oneof(
  { weight: 12, arbitrary: fc.constant({ kind: 'none' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('other id' as const),
      id: fc.constantFrom('{gone:#}', '{vmove:#}', '{host:#}', '{notification:#}', '{hostName:#}', '%00', 'x'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('member' as const), name: fc.nat(5), value }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('headers' as const), header }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'project' as const }) },
)

const PROJECT = '/v1/0123456789abcdef'
const NEWEST = ['OpenStack-API-Version', 'instance-ha 1.3'] as const

const idempotencyKey = fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { freq: 20 })

export const goodRequest = fc.oneof(
  ...ROUTES.map((route) => ({
    weight: route.weight,
    arbitrary: fc
      .record({
        index: number,
        members: route.body?.members ?? fc.constant({}),
        flaw,
        query: fc.option(query, { freq: 5, nil: '' }),
        idempotencyKey,
      })
      .map(({ index, members, flaw: wrong, query: asked, idempotencyKey: key }) => {
        const spoiled = wrong.kind === 'other id' ? route.path.replace(/\{\w+:#\}/, wrong.id) : route.path
        const path = wrong.kind === 'project' ? spoiled.replace('/v1', PROJECT) : spoiled
        const said = wrong.kind === 'member' ? withMember(members, wrong.name, wrong.value) : members
        return {
          label: labelOf(route),
          method: route.method,
          target: path.replaceAll('#', String(index)) + asked,
          headers: [
            NEWEST,
            ...(wrong.kind === 'headers' ? [wrong.header] : []),
            ...(wrong.kind === 'project' ? [['X-Project-Id', '0123456789abcdef'] as const] : []),
            ...(key === null ? [] : [['Idempotency-Key', key] as const]),
          ],
          body: route.body === undefined ? '' : toJson({ [route.body.name]: said }),
        }
      }),
  })),
)

function withMember(members: object, index: number, changedTo: unknown): object {
  const names = Object.keys(members)
  return { ...members, [names[index % Math.max(names.length, 1)] ?? 'x']: changedTo }
}
