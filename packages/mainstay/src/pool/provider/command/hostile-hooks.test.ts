import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock, SystemClock, type Clock } from '../../../core/clock.ts'
import { ForeignMachineError, ProviderError, ProviderUnsupportedError } from '../errors.ts'
import type { CreateRequest, MachineRef } from '../provider.ts'
import { CLASS_BY_STATUS } from './failure-class.ts'
import type { CommandHooks, CommandSettings } from './options.ts'
import { CommandProvider } from './provider.ts'
import type { HookCommand } from './run-hook.ts'
import { FileCloud } from './testing/file-cloud.ts'

// These wait for programs of the machine, which may be busy.
vi.setConfig({ testTimeout: 60_000 })

const sh = (script: string): HookCommand => ['sh', '-c', script]
const UNUSED = sh('echo should not have been run >&2; exit 1')
const asking = () => ({ signal: new AbortController().signal })
const REF: MachineRef = { name: 'vm-1', providerId: null }

function request(change: Partial<CreateRequest> = {}): CreateRequest {
  return { name: 'vm-1', pool: 'builders', createdAt: 1, profile: {}, ...asking(), ...change }
}

function provider(
  hooks: Partial<CommandHooks>,
  settings: Partial<CommandSettings> = {},
  clock: Clock = new SystemClock(),
): CommandProvider {
  return new CommandProvider({
    name: 'scripts',
    installation: 'ours',
    clock,
    hooks: { create: UNUSED, destroy: UNUSED, ...hooks },
    settings,
  })
}

async function failureOf(work: Promise<unknown>): Promise<ProviderError> {
  const error: unknown = await work.catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(ProviderError)
  return error as ProviderError
}

/** A file that scripts append to. */
async function journal(): Promise<{ path: string; readonly lines: () => Promise<string[]> }> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-hooks-'))
  onTestFinished(async () => await rm(directory, { recursive: true }))
  const path = join(directory, 'journal')
  await writeFile(path, '')
  return { path, lines: async () => (await readFile(path, 'utf8')).split('\n').filter(Boolean) }
}

describe('what a failed creation leaves (A8)', () => {
  test('is destroyed when the output names it by address and name, though nothing can be looked at', async () => {
    const { path, lines } = await journal()
    const { class: kind, leftBehind } = await failureOf(
      provider({
        create: sh('echo IP=10.0.0.1; echo vm_name=copr-1; exit 1'),
        destroy: sh(`echo "$MAINSTAY_VM_NAME $MAINSTAY_VM_ID $MAINSTAY_VM_IP" >>${path}`),
      }).create(request()),
    )
    expect({ kind, leftBehind }).toEqual({ kind: 'transient', leftBehind: undefined })
    expect(await lines()).toEqual(['vm-1 copr-1 10.0.0.1'])
  })

  test('is not guessed by its name alone, which may be another machine', async () => {
    const { path, lines } = await journal()
    const destroy = sh(`echo destroyed >>${path}`)
    await failureOf(provider({ create: sh('echo vm-1 exists already; exit 1'), destroy }).create(request()))
    expect(await lines()).toEqual([])
  })

  test('is named when it cannot be destroyed either; the first error stays the error', async () => {
    const error = await failureOf(
      provider({
        create: sh('echo IP=10.0.0.1; echo vm_name=half; exit 69'),
        destroy: sh('echo no route to host; exit 1'),
      }).create(request()),
    )
    expect(error).toMatchObject({ class: 'capacity', leftBehind: 'half' })
    expect(error.message).toContain('no route to host')
  })

  test('is looked for, and destroyed when it is there', async () => {
    await using cloud = await FileCloud.create()
    await cloud.orderNextCreate('half')
    await failureOf(cloud.provider('ours').create(request()))
    expect(cloud.has('vm-1')).toBe(false)
  })

  test('is destroyed when the hook succeeded and printed nonsense', async () => {
    const { path, lines } = await journal()
    await failureOf(
      provider({
        create: sh('echo IP=example.com; echo vm_name=vm-1'),
        destroy: sh(`echo "$MAINSTAY_VM_ID" >>${path}`),
      }).create(request()),
    )
    expect(await lines()).toEqual(['vm-1'])
  })

  test('of a hook that was killed is destroyed', async () => {
    const { path, lines } = await journal()
    await failureOf(
      provider({
        create: sh('echo IP=10.0.0.1; echo vm_name=vm-1; kill -KILL $$'),
        destroy: sh(`echo "$MAINSTAY_VM_ID" >>${path}`),
      }).create(request()),
    )
    expect(await lines()).toEqual(['vm-1'])
  })

  test('of a hook that never ends is destroyed', async () => {
    const { path, lines } = await journal()
    const clock = new ManualClock()
    const create = sh(`echo IP=10.0.0.1; echo vm_name=vm-1; echo created >>${path}; sleep 600`)
    const destroy = sh(`echo "$MAINSTAY_VM_ID" >>${path}`)
    const failing = failureOf(provider({ create, destroy }, { createTimeoutMs: 3000 }, clock).create(request()))
    await expect.poll(lines, { timeout: 30_000 }).toEqual(['created'])
    await clock.advance(3000)
    expect(await failing).toMatchObject({ class: 'transient', leftBehind: undefined })
    expect(await lines()).toEqual(['created', 'vm-1'])
  })
})

describe('classes of failures (C11)', () => {
  test.each([...CLASS_BY_STATUS, [1, 'transient'], [255, 'transient']] as const)(
    'status %i is %s',
    async (status, kind) => {
      expect((await failureOf(provider({ create: sh(`exit ${status}`) }).create(request()))).class).toBe(kind)
    },
  )

  test('the last line may say it, with a text and a pause', async () => {
    const create = sh(`echo noise; echo '{"error":"slow down","class":"rate_limit","retry_after":30}'; exit 1`)
    const error = await failureOf(provider({ create }).create(request()))
    expect(error).toMatchObject({ class: 'rate_limit', retryAfterMs: 30_000 })
    expect(error.message).toBe('Provider scripts: slow down')
  })

  test.each(['{"class":"enormous"}', '{"class":7,"retry_after":"soon"}', '{"class":', '[]', 'null'])(
    'a last line that makes no sense (%s) leaves it transient',
    async (line) => {
      const error = await failureOf(provider({ create: sh(`echo '${line}'; exit 1`) }).create(request()))
      expect(error).toMatchObject({ class: 'transient', retryAfterMs: undefined })
    },
  )

  test('B-64 a hook whose file is missing is invalid: the label is at fault', async () => {
    expect((await failureOf(provider({ create: ['/no/such/hook'] }).create(request()))).class).toBe('invalid')
    expect((await failureOf(provider({ create: sh('no-such-program') }).create(request()))).class).toBe('invalid')
  })

  test('what has no hook is refused beforehand', async () => {
    const bare = provider({})
    expect(bare.capabilities).toEqual({
      list: false,
      tags: false,
      standby: false,
      reset: false,
      quota: false,
      resources: [],
    })
    for (const call of [
      () => bare.list(asking()),
      () => bare.describe(REF, asking()),
      () => bare.stop(REF, asking()),
    ]) {
      await expect(call()).rejects.toThrow(ProviderUnsupportedError)
    }
  })
})

describe('a list hook that lies or talks nonsense (C10)', () => {
  test.each([
    ['prints nothing', ''],
    ['prints text', 'Error: token expired'],
    ['prints an object without machines', '{"items":[]}'],
    ['prints null', 'null'],
    ['prints a machine without a name', '[{"vm_ip":"10.0.0.1"}]'],
    ['prints one bad machine among good ones', '[{"vm_name":"a"},{"vm_name":7}]'],
    ['is cut off', '[{"vm_name":"a"},{"vm_na'],
    ['prints a line too much', '[]\nwarning: deprecated'],
  ])('and %s is an error, never an empty list', async (_what, text) => {
    expect((await failureOf(provider({ list: sh(`printf '%s' '${text}'`) }).list(asking()))).class).toBe('transient')
  })

  test('and fails half-way is an error although it printed a good list', async () => {
    const list = sh('echo "[]"; exit 1')
    await expect(provider({ list }).list(asking())).rejects.toThrow('ended with status 1')
  })

  test('and prints more than is allowed is an error', async () => {
    const list = sh(`printf '['; yes '{"vm_name":"a"},'`)
    const error = await failureOf(provider({ list }, { maxAnswerBytes: 100_000 }).list(asking()))
    expect(error.message).toContain('more than 100000 bytes')
  })

  test('and shows machines with half of the tags shows foreign ones', async () => {
    const half = `{"vm_name":"a","tags":{"mainstay_installation":"ours","mainstay_vm_name":"a"}}`
    expect(await provider({ list: sh(`echo '[${half}]'`) }).list(asking())).toEqual([])
    await expect(provider({ describe: sh(`echo '${half}'`) }).destroy(REF, asking())).rejects.toThrow(
      ForeignMachineError,
    )
  })

  test('keeps a machine of somebody else from being destroyed by its name', async () => {
    const list = sh(`echo '[{"vm_name":"vm-1"}]'`)
    await expect(provider({ list }).destroy(REF, asking())).rejects.toThrow(ForeignMachineError)
  })

  test('may say what it knows in its own words', async () => {
    const tags = `{"mainstay_installation":"ours","mainstay_pool":"p","mainstay_vm_name":"vm-1","mainstay_created_at":"5"}`
    const list = sh(`echo '{"machines":[{"vm_name":"i-77","vm_ip":"-","state":"SHELVED","tags":${tags}}]}'`)
    expect(await provider({ list }).list(asking())).toEqual([
      {
        providerId: 'i-77',
        name: 'vm-1',
        address: null,
        status: 'unknown',
        tags: { installation: 'ours', pool: 'p', vmName: 'vm-1', createdAt: 5 },
        data: {},
      },
    ])
  })
})

describe('what hooks are told', () => {
  test('the wanted name, the tags, the profile, and in arguments too', async () => {
    const format = '{"vm_ip":"10.0.0.1","vm_name":"%s","data":{"args":"%s","flavor":"%s","tags":%s}}\\n'
    const values = '"$MAINSTAY_VM_NAME" "$*" "$MAINSTAY_PROFILE_BASE_FLAVOR" "$MAINSTAY_VM_TAGS"'
    const args = ['${MAINSTAY_VM_GROUP}/${MAINSTAY_NO_SUCH}', '${MAINSTAY_VM_NAME}']
    const create: HookCommand = ['sh', '-c', `printf '${format}' ${values}`, 'x', ...args]
    const machine = await provider({ create }).create(request({ profile: { 'base-flavor': 'm1.small' } }))
    expect(machine).toMatchObject({
      providerId: 'vm-1',
      data: {
        args: 'builders/${MAINSTAY_NO_SUCH} vm-1',
        flavor: 'm1.small',
        tags: {
          mainstay_installation: 'ours',
          mainstay_pool: 'builders',
          mainstay_vm_name: 'vm-1',
          mainstay_created_at: '1',
        },
      },
    })
  })

  test('a hook that gives names of its own is told them again', async () => {
    const { path, lines } = await journal()
    const scripts = provider({
      create: sh('echo IP=10.0.0.1; echo vm_name=copr_4711'),
      destroy: sh(`echo "$MAINSTAY_VM_ID" >>${path}`),
    })
    const { name, providerId } = await scripts.create(request())
    expect({ name, providerId }).toEqual({ name: 'vm-1', providerId: 'copr_4711' })
    await scripts.destroy({ name, providerId }, asking())
    expect(await lines()).toEqual(['copr_4711'])
  })
})
