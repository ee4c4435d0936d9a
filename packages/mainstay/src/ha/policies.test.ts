import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { ManualClock } from '../core/clock.ts'
import { requestContext, type RequestContext } from '../core/context.ts'
import { createLogger, silentLogger } from '../core/logging.ts'
import { PolicySyntaxError } from '../http/policy/parse.ts'
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

  test.each([
    ['a file', (file: string) => file],
    ['a directory', (_file: string, directory: string) => directory],
  ])('%s that leads in a circle leaves the rules as they were, and is told of once', async (_what, choose) => {
    await using cleanup = new AsyncDisposableStack()
    const place = await mkdtemp(join(tmpdir(), 'mainstay-policy-'))
    cleanup.defer(async () => await rm(place, { recursive: true, force: true }))
    const [file, directory] = [join(place, 'policy.yaml'), join(place, 'policy.d')]
    await mkdir(directory)
    const rule = 'os_masakari_api:segments:index'
    await writeFile(file, `"${rule}": "role:member"\n`)
    const clock = new ManualClock()
    const lines: string[] = []
    const logger = createLogger({ format: 'json', destination: { write: (line) => void lines.push(line) } })
    const paths = { file, directories: [directory] }
    const policy = new Policy({ clock, logger, defaults: defaultRules(), paths })
    const member = context({ roles: ['member'] })
    const broken = choose(file, directory)
    await rm(broken, { recursive: true })
    await symlink(broken, broken)
    for (let asked = 0; asked < 3; asked += 1) {
      await clock.advance(60_000)
      expect(policy.authorize(rule, member)).toBe(true)
    }
    expect(lines.filter((line) => line.includes('stay as they were'))).toHaveLength(1)
    expect(lines.join()).toContain('ELOOP')
    expect(() => new Policy({ clock, logger, defaults: defaultRules(), paths })).toThrow(PolicySyntaxError)
    await rm(broken)
    await writeFile(file, `"${rule}": "!"\n`)
    await clock.advance(60_000)
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
