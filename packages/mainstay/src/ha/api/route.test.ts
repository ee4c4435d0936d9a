import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { routeMasakari, type Route } from './route.ts'

function short(route: Route): string {
  if (route.kind === 'not-found') return '404'
  if (route.kind === 'unimplemented') return `405 ${route.verb}`
  const ids = Object.entries(route.ids).map(([name, id]) => `${name}=${id}`)
  const project = route.projectId === null ? [] : [`project=${route.projectId}`]
  return [`${route.resource}.${route.verb}`, ...ids, ...project].join(' ')
}

describe('the router of the v1 tree (ha-api 1.1, 1.2)', () => {
  test.each([
    ['GET', '/v1', 'versions.show'],
    ['GET', '/v1/', 'versions.show'],
    ['HEAD', '/v1/', '404'],
    ['POST', '/v1/', '404'],
    ['GET', '/v1/extensions', 'extensions.index'],
    ['GET', '/v1/extensions/segments', 'extensions.show extensions=segments'],
    ['POST', '/v1/extensions', '405 create'],
    ['DELETE', '/v1/extensions/x', '405 delete'],
    ['GET', '/v1/segments', 'segments.index'],
    ['POST', '/v1/segments', 'segments.create'],
    ['PUT', '/v1/segments', '404'],
    ['DELETE', '/v1/segments', '404'],
    ['PATCH', '/v1/segments', '404'],
    ['HEAD', '/v1/segments', '404'],
    ['GET', '/v1/segments/', '404'],
    ['GET', '/v1/segments/a', 'segments.show segments=a'],
    ['PUT', '/v1/segments/a', 'segments.update segments=a'],
    ['DELETE', '/v1/segments/a', 'segments.delete segments=a'],
    ['POST', '/v1/segments/a', '404'],
    ['PATCH', '/v1/segments/a', '404'],
    ['GET', '/v1/segments/a/', '404'],
    ['GET', '/v1/segments/new', '405 new'],
    ['PUT', '/v1/segments/new', 'segments.update segments=new'],
    ['GET', '/v1/segments/x/edit', '405 edit'],
    ['PUT', '/v1/segments/x/edit', '404'],
    ['POST', '/v1/segments/x/action', '405 action'],
    ['GET', '/v1/segments/x/action', '404'],
    ['GET', '/v1/segments/a/hosts', 'hosts.index segments=a'],
    ['POST', '/v1/segments/a/hosts', 'hosts.create segments=a'],
    ['PUT', '/v1/segments/a/hosts', '404'],
    ['GET', '/v1/segments/a/hosts/', '404'],
    ['GET', '/v1/segments/a/hosts/b', 'hosts.show segments=a hosts=b'],
    ['PUT', '/v1/segments/a/hosts/b', 'hosts.update segments=a hosts=b'],
    ['DELETE', '/v1/segments/a/hosts/b', 'hosts.delete segments=a hosts=b'],
    ['GET', '/v1/segments/a/hosts/new', '405 new'],
    ['GET', '/v1/segments/a/hosts/b/edit', '405 edit'],
    ['POST', '/v1/segments/a/hosts/b/action', '404'],
    ['GET', '/v1/segments/a/hosts/b/c', '404'],
    ['GET', '/v1/notifications', 'notifications.index'],
    ['POST', '/v1/notifications', 'notifications.create'],
    ['PUT', '/v1/notifications', '404'],
    ['DELETE', '/v1/notifications', '404'],
    ['GET', '/v1/notifications/n', 'notifications.show notifications=n'],
    ['PUT', '/v1/notifications/n', '405 update'],
    ['DELETE', '/v1/notifications/n', '405 delete'],
    ['POST', '/v1/notifications/n/action', '405 action'],
    ['GET', '/v1/notifications/n/vmoves', 'vmoves.index notifications=n'],
    ['POST', '/v1/notifications/n/vmoves', '405 create'],
    ['GET', '/v1/notifications/n/vmoves/m', 'vmoves.show notifications=n vmoves=m'],
    ['PUT', '/v1/notifications/n/vmoves/m', '405 update'],
    ['GET', '/v1/segments.json', 'segments.index'],
    ['GET', '/v1/segments/a.json', 'segments.show segments=a'],
    ['GET', '/v1/segments/a.xml', 'segments.show segments=a'],
    ['GET', '/v1/segments/a/hosts.json', 'hosts.index segments=a'],
    ['GET', '/v1/versions', '405 index'],
    ['GET', '/v1/versions/v1.0', 'versions.show versions=v1.0'],
    ['GET', '/v1/segments/.json', 'segments.show segments=.json'],
    ['GET', '/v1/nothing', '404'],
    ['GET', '/v1/constructor', '404'],
    ['GET', '/v1/abc', '404'],
    ['GET', '/v1/abc/segments', 'segments.index project=abc'],
    ['GET', '/v1/abc/segments/s/hosts/h', 'hosts.show segments=s hosts=h project=abc'],
    ['PUT', '/v1/abc/notifications/n', '405 update'],
    ['GET', '/v1/xyz/segments', '404'],
    ['GET', '/v1/ABC/segments', '404'],
  ])('%s %s is %s', (method, path, expected) => {
    expect(short(routeMasakari(method, path))).toBe(expected)
  })

  test('a project id pattern of the operator replaces the default', () => {
    expect(short(routeMasakari('GET', '/v1/xyz/segments', /^[a-z]+$/))).toBe('segments.index project=xyz')
    expect(short(routeMasakari('GET', '/v1/123/segments', /^[a-z]+$/))).toBe('404')
  })

  test('any path has an answer', () => {
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'PROPFIND')
    const parts = fc.array(fc.oneof(fc.string(), fc.constantFrom('segments', 'hosts', 'new', 'edit', 'vmoves', '')))
    fc.assert(
      fc.property(method, parts, (verb, path) => {
        const route = routeMasakari(verb, `/v1/${path.join('/')}`)
        expect(['action', 'unimplemented', 'not-found']).toContain(route.kind)
        expect(route.kind === 'not-found' || ['GET', 'POST', 'PUT', 'DELETE'].includes(verb)).toBe(true)
      }),
    )
  })
})
