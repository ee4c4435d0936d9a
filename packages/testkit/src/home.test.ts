import { spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { pollUntil } from './clock.ts'
import { homeDir, removeQuietly } from './home.ts'
import { findByEnvironment, identityOf, isAlive } from './process/process-table.ts'
import { runProgram } from './process/run.ts'
import { sweepDeadRuns } from './reaper/sweep.ts'
import { patientMs } from './testing/patience.ts'

const { uid } = userInfo()
const module = fileURLToPath(new URL('home.ts', import.meta.url))
const places: string[] = []
afterAll(() => {
  for (const place of places) removeQuietly(place)
})

/** What a process with a temporary folder of its own says of its home there. */
async function homeIn(place: string): Promise<string> {
  const code = `
    const { homeDir } = await import(${JSON.stringify(module)})
    try { console.log(homeDir('runs')) } catch (error) { console.log(error.code, error.message) }`
  const env = { ...process.env, TMPDIR: place, MAINSTAY_TESTKIT_DIR: undefined }
  const { stdout } = await runProgram([process.execPath, '--input-type=module', '-e', code], { env })
  return stdout.trim()
}

function temporaryFolder(): { place: string; home: string } {
  const place = mkdtempSync(join(tmpdir(), 'testkit-home-'))
  places.push(place)
  return { place, home: join(place, `mainstay-testkit-${uid}`) }
}

describe('the home folder', { timeout: 60_000 }, () => {
  test('is made in the temporary folder, and used again', async () => {
    const { place, home } = temporaryFolder()
    expect(await homeIn(place)).toBe(join(home, 'runs'))
    expect(await homeIn(place)).toBe(join(home, 'runs'))
  })

  test.each<[string, (home: string, elsewhere: string) => void]>([
    ['leads elsewhere', (home, elsewhere) => symlinkSync(elsewhere, home)],
    [
      'others can write to',
      (home) => {
        mkdirSync(home)
        chmodSync(home, 0o777)
      },
    ],
    [
      'is somebody else’s',
      // Whoever is not root cannot make one; but everything of root's is somebody else's.
      (home) => (uid === 0 ? (mkdirSync(home), chownSync(home, 65_534, 65_534)) : symlinkSync('/usr', home)),
    ],
  ])('that %s is refused, and nothing is made in it', async (_kind, make) => {
    const { place, home } = temporaryFolder()
    const elsewhere = join(place, 'elsewhere')
    mkdirSync(elsewhere)
    make(home, elsewhere)
    expect(await homeIn(place)).toContain(`TK_BAD_SPEC ${home} is not a folder of yours`)
    expect(readdirSync(elsewhere)).toEqual([])
  })

  test('H-65 a sweep ends only processes that carry a cluster’s marker, whatever a file says', async (ctx) => {
    ctx.skip(process.platform !== 'linux', 'the environment of others is read from /proc')
    const home = join(homeDir('own-tests'), `planted-${process.pid}`)
    places.push(home)
    const plant = (name: string, marker: string): void => {
      mkdirSync(join(home, 'runs', name), { recursive: true })
      writeFileSync(join(home, 'runs', name, 'owner.json'), JSON.stringify({ pid: process.pid, startTicks: 1, marker }))
    }
    const mine = `mine-${process.pid}`
    plant('a', `MY_VARIABLE=${mine}`)
    plant('b', `MAINSTAY_TESTKIT_RUN=${mine}`)
    const strangers = spawn('sleep', ['300'], { env: { MY_VARIABLE: mine } })
    const ours = spawn('sleep', ['300'], { env: { MAINSTAY_TESTKIT_RUN: mine } })
    const [stranger, orphan] = [strangers, ours].map((child) => identityOf(child.pid ?? 0))
    try {
      const carriers = (): number =>
        [`MY_VARIABLE=${mine}`, `MAINSTAY_TESTKIT_RUN=${mine}`].flatMap((entry) => findByEnvironment([entry])).length
      expect(await pollUntil(() => carriers() === 2, { timeoutMs: patientMs })).toBe(true)
      await sweepDeadRuns(home)
      expect(await pollUntil(() => !isAlive(orphan!), { timeoutMs: patientMs })).toBe(true)
      expect(isAlive(stranger!)).toBe(true)
      expect(readdirSync(join(home, 'runs'))).toEqual([])
    } finally {
      strangers.kill('SIGKILL')
      ours.kill('SIGKILL')
    }
  })
})
