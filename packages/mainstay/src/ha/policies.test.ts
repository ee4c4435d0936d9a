import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { ManualClock } from '../core/clock.ts'
import { requestContext, type RequestContext } from '../core/context.ts'
import { silentLogger } from '../core/logging.ts'
import { Policy } from '../http/policy/policy.ts'
import { defaultRules } from './policies.ts'

function context(fields: Partial<RequestContext> = {}): RequestContext {
  return requestContext({ requestId: 'req-1', timestampMs: 0, ...fields })
}

describe('policy files (ha-api 4.3)', () => {
  test('by default admins may do everything and others only see versions', () => {
    const policy = new Policy({ clock: new ManualClock(), logger: silentLogger(), defaults: defaultRules() })
    expect(policy.authorize('os_masakari_api:segments:create', context({ isAdmin: true }))).toBe(true)
    expect(policy.authorize('os_masakari_api:segments:index', context({ roles: ['reader'] }))).toBe(false)
    expect(policy.authorize('os_masakari_api:versions:index', context())).toBe(true)
    expect(policy.authorize('context_is_admin', context({ roles: ['admin'] }))).toBe(true)
  })

  test('with the reader and operator roles switched on, each may do its part', () => {
    const defaults = defaultRules('reader-operator')
    const policy = new Policy({ clock: new ManualClock(), logger: silentLogger(), defaults })
    const reader = context({ roles: ['reader'] })
    const operator = context({ roles: ['operator'] })
    expect(policy.authorize('os_masakari_api:notifications:index', reader)).toBe(true)
    expect(policy.authorize('os_masakari_api:os-hosts:update', reader)).toBe(false)
    expect(policy.authorize('os_masakari_api:os-hosts:update', operator)).toBe(true)
    expect(policy.authorize('os_masakari_api:segments:delete', operator)).toBe(false)
  })

  test('a rule that is not registered cannot be asked for', () => {
    const policy = new Policy({ clock: new ManualClock(), logger: silentLogger(), defaults: defaultRules() })
    expect(() => policy.authorize('os_masakari_api:segments:explode', context())).toThrow(/not registered/)
  })

  test('a changed file is read again, a broken one leaves the rules as they were', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-policy-'))
    await using _cleanup = { [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true }) }
    const file = join(directory, 'policy.yaml')
    const clock = new ManualClock()
    const paths = { file, directories: [join(directory, 'policy.d')] }
    const policy = new Policy({ clock, logger: silentLogger(), defaults: defaultRules(), paths })
    const rule = 'os_masakari_api:segments:index'
    const member = context({ roles: ['member'] })
    expect(policy.authorize(rule, member)).toBe(false)

    await writeFile(file, `"${rule}": "role:member"\n`)
    await clock.advance(1000)
    expect(policy.authorize(rule, member)).toBe(true)

    await writeFile(file, `"${rule}": "role:member or ("\n`)
    await clock.advance(1000)
    expect(policy.authorize(rule, member)).toBe(true)

    await mkdir(paths.directories[0]!)
    await writeFile(file, '')
    await writeFile(join(paths.directories[0]!, '10-deny.yaml'), `"${rule}": "!"\n`)
    await clock.advance(1000)
    expect(policy.authorize(rule, member)).toBe(false)
  })

  test('a file that is broken at the start is refused with its name', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-policy-'))
    await using _cleanup = { [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true }) }
    const file = join(directory, 'policy.yaml')
    await writeFile(file, '- a list\n')
    const deps = { clock: new ManualClock(), logger: silentLogger(), defaults: defaultRules() }
    expect(() => new Policy({ ...deps, paths: { file, directories: [] } })).toThrow(file)
  })
})
