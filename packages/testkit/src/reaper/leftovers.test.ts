import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { pollUntil } from '../clock.ts'
import { DiskLimit } from '../faults/disk-full.ts'
import { homeDir, removeQuietly } from '../home.ts'
import { findExecutable } from '../process/executable.ts'
import { commandOf, identityOf, isAlive, listPids, type ProcessIdentity } from '../process/process-table.ts'
import { runProgram } from '../process/run.ts'
import { patientMs } from '../testing/patience.ts'
import { mountSource, ownMountsIn } from './mounts.ts'
import { sweepDeadRuns } from './sweep.ts'

const program = fileURLToPath(new URL('../../fixtures/leftovers.ts', import.meta.url))
/** A duration for `sleep` that nobody else on this machine uses, so that its command line names it. */
const token = `9${process.pid}`

interface Told {
  readonly dir: string
  readonly path?: string
}

/** A test process of its own that leaves something of this kind, and ends in this way without cleaning up. */
async function leave(
  kind: string,
  end: 'SIGKILL' | 'exit',
  look: (told: Told) => void | Promise<void> = () => undefined,
): Promise<Told> {
  const child = spawn(process.execPath, [program, kind], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TOKEN: token, DROPPED: join(homeDir('own-tests'), `dropped-${process.pid}`) },
  })
  const exited = new Promise((resolve) => {
    child.once('exit', resolve)
  })
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const told = JSON.parse(line) as Told
      await look(told)
      if (end === 'exit') child.stdin.write('exit\n')
      else child.kill('SIGKILL')
      await exited
      return told
    }
  } finally {
    child.kill('SIGKILL')
  }
  throw new Error(`${kind} ended without a word`)
}

const running = (text: string): ProcessIdentity[] =>
  listPids()
    .filter((pid) => pid !== process.pid && commandOf(pid).includes(text))
    .map(identityOf)

const gone = (condition: () => boolean): Promise<unknown> => pollUntil(condition, { timeoutMs: patientMs })

describe.each(['SIGKILL', 'exit'] as const)(
  'what is left by a test process that ends by %s',
  { timeout: 180_000 },
  (end) => {
    test('H-63 the receiver of notifications ends, and the short way to its socket is removed', async (ctx) => {
      ctx.skip(findExecutable('perl') === undefined, 'perl not found: apt-get install perl')
      let receivers: ProcessIdentity[] = []
      const { path = '', dir } = await leave('notify', end, ({ path: socket = '' }) => {
        receivers = running(socket)
        expect(socket).toContain('mtk-')
        expect(existsSync(socket)).toBe(true)
      })
      expect(receivers).toHaveLength(1)
      expect(await gone(() => !receivers.some(isAlive))).toBe(true)
      expect(await gone(() => !existsSync(dirname(dirname(path))) && !existsSync(dir))).toBe(true)
    })

    test('H-63 a migration ends, with what it has started', async () => {
      let helpers: ProcessIdentity[] = []
      await leave('migration', end, async () => {
        await gone(() => (helpers = running(`sleep ${token}`)).length === 2)
      })
      expect(helpers).toHaveLength(2)
      expect(await gone(() => !helpers.some(isAlive))).toBe(true)
    })

    test('a small disk is unmounted and its folder removed', async (ctx) => {
      const reason = DiskLimit.unavailable()
      ctx.skip(reason !== undefined, reason)
      const { dir, path = '' } = await leave('disk', end, (told) => {
        expect(ownMountsIn(told.dir)).toEqual([told.path])
      })
      expect(await gone(() => ownMountsIn(path).length === 0 && !existsSync(dir))).toBe(true)
    })

    test('a database elsewhere is dropped', async () => {
      const { path = '' } = await leave('database', end)
      expect(await gone(() => existsSync(path))).toBe(true)
      removeQuietly(path)
    })

    test('the folder of a cluster in which nothing ran is removed', async () => {
      const { dir } = await leave('folder', end, (told) => expect(existsSync(told.dir)).toBe(true))
      expect(await gone(() => !existsSync(dir))).toBe(true)
    })
  },
)

describe('mounts of dead runs', { timeout: 180_000 }, () => {
  test('a sweep unmounts what the kit has mounted in the folder of a dead run, and nothing else', async (ctx) => {
    const reason = DiskLimit.unavailable()
    ctx.skip(reason !== undefined, reason)
    const home = join(homeDir('own-tests'), `mounts-${process.pid}`)
    const dead = (name: string): string => {
      const dir = join(home, 'runs', name)
      mkdirSync(join(dir, 'disk'), { recursive: true })
      writeFileSync(join(dir, 'owner.json'), JSON.stringify({ pid: process.pid, startTicks: 1 }))
      return dir
    }
    const [own, foreign] = [dead('own'), dead('foreign')]
    const mount = (source: string, dir: string): Promise<unknown> =>
      runProgram(['mount', '-t', 'tmpfs', '-o', 'size=64k', source, join(dir, 'disk')])
    await mount(mountSource, own)
    await mount('somebody', foreign)
    try {
      writeFileSync(join(own, 'disk', 'x'), '')
      await sweepDeadRuns(home)
      expect(existsSync(own)).toBe(false)
      expect(existsSync(join(foreign, 'disk'))).toBe(true)
    } finally {
      await runProgram(['umount', join(foreign, 'disk')])
      removeQuietly(home)
    }
  })
})
