import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LibvirtConnectError } from './errors.ts'
import { ManualTimers } from './manual-timers.ts'
import { LibvirtSession } from './session.ts'

async function sessionWithoutServer(timers: ManualTimers): Promise<LibvirtSession> {
  const folder = await mkdtemp(join(tmpdir(), 'no-libvirt-'))
  const session = new LibvirtSession({ socketPath: join(folder, 'libvirt-sock'), timers, random: () => 0.5 })
  onTestFinished(async () => {
    await session.close()
    await rm(folder, { recursive: true })
  })
  return session
}

const nextFailure = (session: LibvirtSession): Promise<[LibvirtConnectError, number]> =>
  new Promise((resolve) => session.once('connect-failed', (error, delayMs) => resolve([error, delayMs])))

describe('session without a server (IM-3)', () => {
  test('tries for ever, with pauses that grow to half a minute', async () => {
    const timers = new ManualTimers()
    const session = await sessionWithoutServer(timers)
    let failure = nextFailure(session)
    session.start()
    const pauses: number[] = []
    for (let attempt = 0; attempt < 8; attempt++) {
      const [error, delayMs] = await failure
      expect(error).toBeInstanceOf(LibvirtConnectError)
      expect(error.message).toContain('no such socket')
      pauses.push(delayMs)
      failure = nextFailure(session)
      timers.advance(delayMs)
    }
    expect(pauses).toEqual([1_000, 1_500, 3_000, 6_000, 12_000, 22_500, 22_500, 22_500])
  })

  test('close ends the pause, and who waits for a connection is told', async () => {
    const timers = new ManualTimers()
    const session = await sessionWithoutServer(timers)
    const failure = nextFailure(session)
    session.start()
    await failure
    const waiting = session.connected()
    await Promise.all([expect(waiting).rejects.toThrow('The session was closed'), session.close()])
    expect(timers.waiting).toBe(0)
    await expect(session.connected()).rejects.toThrow('The session was closed')
  })

  test('who waits may give up', async () => {
    const session = await sessionWithoutServer(new ManualTimers())
    session.start()
    await expect(session.connected({ signal: AbortSignal.timeout(1) })).rejects.toThrow('timeout')
  })
})
