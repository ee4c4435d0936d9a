import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { startHa, type RunningHa } from '../ha/testing/start-ha.ts'
import { setNotificationStatus } from '../ha/index.ts'
import { runCommand, type CommandOutcome, type CommandSetting } from './testing/run-command.ts'

// Every test has a database or a process of its own, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

let ha: RunningHa

beforeEach(async () => {
  ha = await startHa()
})

afterEach(async () => {
  await ha[Symbol.asyncDispose]()
})

async function mainstay(line: string, setting: CommandSetting = {}): Promise<CommandOutcome> {
  const env = { MAINSTAY_ENDPOINT: `http://127.0.0.1:${ha.port}`, ...setting.env }
  return await runCommand(line.split(' '), { ...setting, env })
}

/** What a command prints when it is done. */
async function output(line: string): Promise<string> {
  const { code, stdout, stderr } = await mainstay(line)
  expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: '' })
  return stdout
}

describe('segments', () => {
  test('are created, listed, shown, changed and deleted by name', async () => {
    expect(await output('segment create s1 auto COMPUTE --description rack -f value -c name -c is_enabled')).toBe(
      's1\nTrue\n',
    )
    expect(await output('segment list -f csv -c name -c recovery_method -c description')).toBe(
      '"name","description","recovery_method"\n"s1","rack","auto"\n',
    )
    expect(await output('segment update s1 --recovery-method rh_priority --is-enabled false -f value -c name')).toBe(
      's1\n',
    )
    expect(await output('segment show s1 -f json --noindent -c recovery_method -c is_enabled')).toBe(
      '{"recovery_method":"rh_priority","is_enabled":false}\n',
    )
    expect(await output('segment delete s1')).toBe('Segment deleted: s1\n')
    expect(await output('segment list -f json')).toBe('[]\n')
  })

  test('understand the underscores of the openstack client', async () => {
    await output('segment create s1 auto COMPUTE')
    expect(await output('segment update s1 --recovery_method=auto_priority -f value -c recovery_method')).toBe(
      'auto_priority\n',
    )
    expect(await output('segment list --recovery_method auto_priority -f value -c name')).toBe('s1\n')
  })

  test('are printed by default as the openstack client prints them', async () => {
    const { uuid } = JSON.parse(await output('segment create s1 auto COMPUTE -f json')) as { uuid: string }
    const line = `+-${'-'.repeat(36)}-+------+-------------+--------------+-----------------+------------+`
    expect(await output('segment list')).toBe(
      [
        line,
        `| uuid${' '.repeat(32)} | name | description | service_type | recovery_method | is_enabled |`,
        line,
        `| ${uuid} | s1   | None        | COMPUTE      | auto            | True       |`,
        line,
        '',
      ].join('\n'),
    )
  })

  test('of a list are sorted and cut off', async () => {
    for (const name of ['b', 'c', 'a']) await output(`segment create ${name} auto COMPUTE`)
    expect(await output('segment list -f value -c name')).toBe('a\nc\nb\n')
    expect(await output('segment list -f value -c name --sort-column name')).toBe('a\nb\nc\n')
    expect(await output('segment list -f value -c name --limit 2')).toBe('a\nc\n')
  })

  test('that can be deleted are, also when another one cannot', async () => {
    await output('segment create s1 auto COMPUTE')
    await output('segment create s2 auto COMPUTE')
    const { code, stdout, stderr } = await mainstay('segment delete s1 nothing s2')
    expect(stdout).toBe('Segment deleted: s1\nSegment deleted: s2\n')
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'mainstay: No segment is named "nothing". "mainstay segment list" shows those that exist.\n',
    })
  })
})

describe('hosts', () => {
  beforeEach(async () => {
    await output('segment create s1 auto COMPUTE')
    await output('segment create s2 auto COMPUTE')
  })

  test('are created, listed, shown, changed and deleted by name', async () => {
    expect(await output('host create compute1 COMPUTE SSH s1 -f value -c name -c reserved')).toBe('compute1\nFalse\n')
    expect(await output('host create compute2 COMPUTE SSH s2 --reserved true -f value -c reserved')).toBe('True\n')
    expect(await output('host list s1 -f value -c name')).toBe('compute1\n')
    expect(await output('host list -f value -c name -c failover_segment')).toBe('compute2 s2\ncompute1 s1\n')
    expect(await output('host list -f value -c name --reserved true')).toBe('compute2\n')
    expect(await output('host list -f value -c name --limit 1')).toBe('compute2\n')
    expect(await output('host update s1 compute1 --on_maintenance true -f value -c on_maintenance')).toBe('True\n')
    expect(await output('host show s1 compute1 -f value -c control_attributes')).toBe('SSH\n')
    expect(await output('host delete s1 compute1')).toBe('Host deleted: compute1\n')
    expect(await output('host list s1 -f value')).toBe('')
  })

  test('are also where the openstack client has them', async () => {
    await output('segment host create compute1 COMPUTE SSH s1')
    expect(await output('segment host list s1 -f value -c name')).toBe('compute1\n')
  })
})

describe('notifications', () => {
  const REPORT = 'notification create COMPUTE_HOST compute1 2026-01-01T00:00:00Z {"event":"STOPPED"}'

  beforeEach(async () => {
    await output('segment create s1 auto COMPUTE')
    await output('host create compute1 COMPUTE SSH s1')
  })

  test('are reported, listed and shown', async () => {
    expect(await output(`${REPORT} -f value -c status -c payload`)).toBe('new\n{"event":"STOPPED"}\n')
    const uuid = (await output('notification list -f value -c notification_uuid')).trim()
    expect(await output('notification list --status finished -f value')).toBe('')
    expect(await output(`notification show ${uuid} -f value -c generated_time`)).toBe('2026-01-01T00:00:00.000000\n')
    expect(await output(`notification vmove list ${uuid} -f json`)).toBe('[]\n')
    expect(await output(`vmove list ${uuid} -f csv`)).toBe(
      '"uuid","server_id","server_name","source_host","dest_host","start_time","end_time","type","status"\n',
    )
  })

  test.each([
    ['finished', 0, ''],
    ['failed', 1, 'mainstay: The recovery of notification'],
  ] as const)('are waited for until they are %s: exit %i, silent in a pipe', async (status, code, stderr) => {
    const reported = mainstay(`${REPORT} --wait --interval 5ms -f value -c status`)
    await expect.poll(() => ha.recoveries.length, { timeout: 5000 }).toBe(1)
    const uuid = ha.recoveries[0]!.uuid
    await ha.store.write(async (queries) => {
      await setNotificationStatus(queries, uuid, status, { nowMs: ha.clock.now() })
    })
    const outcome = await reported
    expect(outcome).toMatchObject({ code, stdout: `${status}\n` })
    expect(outcome.stderr.slice(0, 38)).toBe(stderr.slice(0, 38))
  })

  test('that are waited for show on a terminal what they wait for', async () => {
    const reported = mainstay(`${REPORT} --wait --interval 5ms --for 20ms`, { terminal: true })
    const { code, stderr } = await reported
    expect(code).toBe(4)
    expect(stderr).toMatch(/notification [0-9a-f-]{36}: new/)
    expect(stderr).toContain('took longer than 20 ms')
  })

  test('are followed until they have ended', async () => {
    const uuid = (await output(`${REPORT} -f value -c notification_uuid`)).trim()
    let finish: Promise<void> | undefined
    const { code, stdout } = await mainstay(`notification show ${uuid} --watch --interval 5ms -f value -c status`, {
      onOutput: () => {
        finish ??= ha.store.write(async (queries) => {
          await setNotificationStatus(queries, uuid, 'ignored', { nowMs: ha.clock.now() })
        })
      },
    })
    await finish
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'new\nignored\n' })
  })
})

describe('a dry run says what would be done, and does nothing', () => {
  test.each([
    ['segment create s2 auto COMPUTE', 'create the segment "s2"', 'POST', /\/v1\/segments$/],
    ['segment update s1 --name s3', 'change the segment s1', 'PUT', /\/v1\/segments\/[0-9a-f-]{36}$/],
    ['segment delete s1', 'delete the segment s1 and its hosts compute1', 'DELETE', /\/v1\/segments\/[0-9a-f-]{36}$/],
    ['host create compute2 COMPUTE SSH s1', 'add the host compute2 to the segment s1', 'POST', /\/hosts$/],
    ['host update s1 compute1 --reserved 1', 'change the host compute1 of the segment s1', 'PUT', /\/hosts\/.{36}$/],
    ['host delete s1 compute1', 'remove the host compute1 from the segment s1', 'DELETE', /\/hosts\/.{36}$/],
    ['notification create VM compute1 2026-01-01 {}', 'report that VM failed on compute1', 'POST', /notifications$/],
  ])('%s', async (line, what, method, path) => {
    await output('segment create s1 auto COMPUTE')
    await output('host create compute1 COMPUTE SSH s1')
    const before = await Promise.all(['segment list -f json', 'host list -f json'].map(output))
    const [said, call = ''] = (await output(`${line} --dry-run`)).split('\n')
    expect(said).toBe(`Would ${what}. Nothing was changed.`)
    expect(call.split(' ')[0]).toBe(method)
    expect(call).toMatch(path)
    expect(await Promise.all(['segment list -f json', 'host list -f json'].map(output))).toEqual(before)
    expect(ha.recoveries).toEqual([])
  })
})

describe('exit codes', () => {
  test.each([
    ['1 unknown uuid', 'segment show 00000000-0000-4000-8000-000000000000', 1, /\(request req-/],
    ['1 unknown name', 'segment show nothing', 1, /No segment is named "nothing"/],
    ['1 unknown host', 'host show s1 nothing', 1, /is named "nothing"/],
    ['1 unknown to the platform', 'host create unknown1 COMPUTE SSH s1', 1, /unknown1/],
    ['2 unknown command', 'segmnet list', 2, /No command registered for `segmnet`, did you mean `segment`/],
    ['2 unknown sub-command', 'segment lst', 2, /did you mean `list`/],
    ['2 unknown flag', 'segment list --nothing', 2, /--nothing/],
    ['2 missing argument', 'segment show', 2, /SEGMENT/],
    ['2 too many arguments', 'segment show a b', 2, /b/],
    ['2 bad method', 'segment create a sometimes COMPUTE', 2, /none of auto, reserved_host/],
    ['2 bad format', 'segment list -f xml', 2, /xml/],
    ['2 bad limit', 'segment list --limit -3', 2, /-3/],
    ['2 bad truth', 'segment list --enabled perhaps', 2, /neither true nor false/],
    ['2 bad duration', 'segment list --timeout soon', 2, /no duration/],
    ['2 bad column', 'segment list -c colour', 2, /The columns are created_at/],
    ['2 bad endpoint', 'segment list --endpoint nowhere', 2, /no http or https address/],
    ['2 nothing to change', 'segment update s1', 2, /Nothing to change/],
    ['2 nothing to change', 'host update s1 h', 2, /Nothing to change/],
    ['2 bad payload', 'notification create VM h 2026-01-01 []', 2, /no JSON object of texts/],
    ['2 no payload', 'notification create VM h 2026-01-01 {', 2, /not valid JSON/],
    ['3 name taken', 'segment create s1 auto COMPUTE', 3, /s1/],
  ])('%s: mainstay %s', async (_name, line, code, message) => {
    await output('segment create s1 auto COMPUTE')
    const outcome = await mainstay(line)
    expect(outcome).toMatchObject({ code, stdout: '' })
    expect(outcome.stderr).toMatch(/^mainstay: [^\n]+\n$/)
    expect(outcome.stderr).toMatch(message)
  })

  test('4 when nobody listens', async () => {
    const port = ha.port
    await ha.app.close()
    const { code, stdout, stderr } = await mainstay(`segment list --endpoint http://127.0.0.1:${port}`)
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
    expect(stderr).toMatch(/^mainstay: No answer from .*ECONNREFUSED.*--endpoint or MAINSTAY_ENDPOINT\.\n$/)
  })

  test('0 for help, with and without a command', async () => {
    for (const line of ['-h', 'segment', 'segment list -h']) expect(await output(line)).toContain('USAGE')
  })

  test('the details of an error are shown with --debug', async () => {
    const { stderr } = await mainstay('segment show nothing --debug')
    expect(stderr).toContain('[MS_NO_SUCH_THING, status 404]')
    expect(stderr).toContain('resolve.ts')
  })
})

test('the token of the environment is sent, and that of the flag before it', async () => {
  await ha[Symbol.asyncDispose]()
  const tokens: (string | undefined)[] = []
  ha = await startHa({
    deps: {
      authenticate: async ({ headers, requestId, timestampMs }) => {
        tokens.push(headers['x-auth-token']?.toString())
        const { adminContext } = await import('../core/context.ts')
        return adminContext({ requestId, timestampMs })
      },
    },
  })
  await mainstay('segment list --limit 1')
  await mainstay('segment list --limit 1', { env: { OS_TOKEN: 'from-env' } })
  await mainstay('segment list --limit 1 --os-token from-flag', { env: { OS_TOKEN: 'from-env' } })
  expect(tokens).toEqual([undefined, 'from-env', 'from-flag'])
})
