import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, test, vi } from 'vitest'

import { SEGMENT, addSegment } from '../../packages/mainstay/src/ha/testing/fill.ts'
import { startHa } from '../../packages/mainstay/src/ha/testing/start-ha.ts'
import { SqliteStore } from '../../packages/mainstay/src/store/index.ts'
import { inOwnMounts } from './support/own-mounts.ts'

const PROCESS = fileURLToPath(new URL('support/ha-process.ts', import.meta.url))
const TIMEOUT_MS = 60_000

// These start processes, on a machine that may be busy.
vi.setConfig({ testTimeout: TIMEOUT_MS })

describe('the HA API whose database', () => {
  test('has a full disk answers 507 with what to do, goes on reading, and writes again once there is room', async (ctx) => {
    const result = await inOwnMounts(ctx, {
      program: PROCESS,
      timeoutMs: TIMEOUT_MS,
      script: `mount -t tmpfs -o size=3m tmpfs /mnt
       head -c 1000000 /dev/zero >/mnt/mainstay.db.ballast
       exec "$1" "$2" /mnt/mainstay.db`,
    })
    const message = expect.stringMatching(
      /^The disk of the database .* is full or failing .* Free some space/,
    ) as unknown
    const body = { masakariFault: { code: 507, message } }
    expect(result).toEqual({ refused: 507, body, read: 200, after: 201 })
  })

  test('is damaged answers 500 with what to do, and asks nobody to report a defect', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-ha-trouble-'))
    try {
      const path = join(directory, 'mainstay.db')
      const first = SqliteStore.open({ path })
      await first.migrate()
      {
        await using ha = await startHa({ store: first })
        for (let count = 0; count < 50; count += 1) {
          await addSegment(ha, { ...SEGMENT, name: `s${count}`, description: 'x'.repeat(2000) })
        }
      }
      await first.close()
      // The schema stays whole, so that the file opens: what was written last, the segments, is not.
      const bytes = await readFile(path)
      await writeFile(path, bytes.fill(0xa5, bytes.length / 2))
      const store = SqliteStore.open({ path })
      await using ha = await startHa({ store })
      const answer = await ha.send('GET', '/v1/segments')
      expect(answer.status).toBe(500)
      expect(answer.text).toMatch(/The database .* is damaged or is no database .* then restore a backup/)
      expect(answer.text).not.toContain('Please report')
      await store.close()
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
