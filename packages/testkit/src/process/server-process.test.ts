import { afterEach, describe, expect, test } from 'vitest'
import { pollUntil } from '../clock.ts'
import { patientMs } from '../testing/patience.ts'
import { groupLedBy, identityOf, isAlive, readProcess, signalProcess, type ProcessIdentity } from './process-table.ts'
import { endStragglers, ServerProcess } from './server-process.ts'

const marker = [`MAINSTAY_TESTKIT_RUN=server-process-${process.pid}`]
/** Ignores SIGTERM, says so, and is ended by SIGKILL only. */
const stubborn = "process.on('SIGTERM', () => console.log('ignored')); setInterval(() => 0, 1000); console.log('up')"

const running: ServerProcess[] = []
const members: ProcessIdentity[] = []

afterEach(async () => {
  for (const one of running.splice(0)) await one.kill('SIGKILL')
  for (const one of members.splice(0)) signalProcess(one, 'SIGKILL')
})

/** A process, and all that it and its children have said. */
function run(command: readonly string[]): { leader: ServerProcess; said: () => string } {
  let said = ''
  const leader = new ServerProcess({
    command,
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '', [marker[0]!.split('=')[0]!]: marker[0]!.split('=')[1]! },
    user: undefined,
    descriptors: [],
    onOutput: (_stream, chunk) => {
      said += chunk.toString()
    },
    marker,
  })
  running.push(leader)
  return { leader, said: () => said }
}

/** A leader in Node with one more member of its group; both are up. */
async function runWithMember(
  leaderCode: string,
  member: readonly string[],
): Promise<{ leader: ServerProcess; member: ProcessIdentity; said: () => string }> {
  const [program, ...args] = member
  const code = `
    const { pid } = require('child_process').spawn(${JSON.stringify(program)}, ${JSON.stringify(args)}, { stdio: ['ignore', 'inherit', 'inherit'] })
    console.log('member ' + pid + ';')
    ${leaderCode}`
  const { leader, said } = run([process.execPath, '-e', code])
  const pid = await pollUntil(() => /member (\d+);/.exec(said())?.[1], { timeoutMs: patientMs })
  const identity = identityOf(Number(pid))
  members.push(identity)
  return { leader, member: identity, said }
}

const count = (text: string, word: string): number => text.split(word).length - 1
const isGone = async (one: ProcessIdentity): Promise<boolean> =>
  (await pollUntil(() => !isAlive(one), { timeoutMs: patientMs })) === true

describe('processes of servers (testkit.md A5.3)', { timeout: 180_000 }, () => {
  test('H-31 a process with another start time under the same number is never signalled', async (ctx) => {
    ctx.skip(process.platform !== 'linux', 'start times are read from /proc')
    const { leader } = run(['sleep', '300'])
    const { pid } = leader
    expect(await pollUntil(() => leader.members().length === 1, { timeoutMs: patientMs })).toBe(true)
    const recycled = { pid, startTicks: leader.identity.startTicks - 1 }
    const entry = readProcess(pid)!
    expect(isAlive(recycled)).toBe(false)
    expect(signalProcess(recycled, 'SIGKILL')).toBe(false)
    expect(signalProcess(recycled, 'SIGKILL', 'group')).toBe(false)
    expect(groupLedBy(recycled)).toEqual([])
    await endStragglers(['MAINSTAY_TESTKIT_RUN=nobody'], [{ ...entry, startTicks: entry.startTicks - 1 }])
    // A signal that was sent all the same would have ended it by now, or does so before the next one.
    expect(signalProcess(leader.identity, 'SIGURG')).toBe(true)
    expect(isAlive(leader.identity)).toBe(true)
    expect(await leader.kill('SIGTERM')).toMatchObject({ signal: 'SIGTERM' })
    expect(leader.signal('SIGTERM')).toBe(false)
    expect(leader.signal('SIGTERM', 'group')).toBe(false)
  })

  test('H-31 of a group whose leader is gone only those that are younger than it are its members', async (ctx) => {
    ctx.skip(process.platform !== 'linux', 'start times are read from /proc')
    const { leader, member } = await runWithMember('setTimeout(() => process.exit(0), 1)', ['sleep', '300'])
    await leader.exited
    expect(groupLedBy(leader.identity).map((entry) => entry.pid)).toEqual([member.pid])
    const later = readProcess(member.pid)!.startTicks + 1
    expect(groupLedBy({ pid: leader.pid, startTicks: later })).toEqual([])
  })

  test('H-28 the first signal is for the leader, the second and SIGKILL are for the group', async () => {
    const { leader, member, said } = await runWithMember(stubborn, [process.execPath, '-e', stubborn])
    expect(await pollUntil(() => count(said(), 'up') === 2, { timeoutMs: patientMs })).toBe(true)
    const ending = leader.end({ graceMs: 3000, killAfterMs: 600_000, deadlineMs: 700_000 })
    // Of the leader twice, of the member once.
    expect(await pollUntil(() => count(said(), 'ignored') === 3, { timeoutMs: patientMs })).toBe(true)
    leader.signal('SIGKILL')
    await ending
    expect(isAlive(member)).toBe(true)
  })

  test('H-28 SIGKILL goes to the group, not only to the leader', async () => {
    const { leader, member, said } = await runWithMember(stubborn, [process.execPath, '-e', stubborn])
    expect(await pollUntil(() => count(said(), 'up') === 2, { timeoutMs: patientMs })).toBe(true)
    expect(await leader.end({ graceMs: 10, killAfterMs: 20 })).toMatchObject({ signal: 'SIGKILL', escalated: true })
    expect(await isGone(member)).toBe(true)
  })

  test('with group: false only the leader is signalled, and what it leaves behind is ended all the same', async () => {
    const { leader, member, said } = await runWithMember(stubborn, [process.execPath, '-e', stubborn])
    expect(await pollUntil(() => count(said(), 'up') === 2, { timeoutMs: patientMs })).toBe(true)
    await leader.end({ graceMs: 10, killAfterMs: 20, group: false })
    expect(isAlive(member)).toBe(true)
    await leader.removeStragglers()
    expect(await isGone(member)).toBe(true)
  })

  test('H-29 a member of the group without the marker is gone after a stop', async () => {
    const { leader, member } = await runWithMember('setInterval(() => 0, 1000)', ['env', '-i', '/bin/sleep', '300'])
    expect(isAlive(member)).toBe(true)
    await leader.stop({})
    expect(await isGone(member)).toBe(true)
  })

  test('a stop that kills early does not wait for the usual times', async () => {
    const { leader, said } = run([process.execPath, '-e', stubborn])
    expect(await pollUntil(() => said().includes('up'), { timeoutMs: patientMs })).toBe(true)
    const startedAt = performance.now()
    expect(await leader.stop({ killAfterMs: 200 })).toMatchObject({ signal: 'SIGKILL', escalated: true })
    expect(performance.now() - startedAt).toBeLessThan(4000)
  })

  test('a process that is dead within the deadline was stopped, although its output is still held open', async () => {
    // The member is of another group, keeps the pipe and writes: the leader's output does not end.
    const writer = "setInterval(() => console.log('.'), 10)"
    const code = `
      const { pid } = require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(writer)}], { stdio: ['ignore', 'inherit', 'ignore'], detached: true })
      process.on('SIGTERM', () => 0); setInterval(() => 0, 1000); console.log('up')`
    const { leader, said } = run([process.execPath, '-e', code])
    expect(await pollUntil(() => said().includes('up'), { timeoutMs: patientMs })).toBe(true)
    const exit = leader.stop({ graceMs: 10, killAfterMs: 20, deadlineMs: 20 })
    await expect(exit).resolves.toMatchObject({ signal: 'SIGKILL' })
  })

  test('a process that nothing ends is told of with its state', async () => {
    const { leader } = run(['sh', '-c', "trap '' TERM; echo up; sleep 300"])
    const error = await leader.kill('SIGURG', 50).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'TK_STOP_FAILED' })
    expect(String(error)).toMatch(/still runs \(state [RSD]\) 50 ms after SIGURG/)
  })
})
