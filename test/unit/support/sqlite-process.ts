/**
 * A process that uses a SQLite store, to be started, starved and killed by a test: `sqlite-process.ts MODE PATH`.
 * It prints JSON lines.
 */
import { readFileSync, rmSync, writeSync } from 'node:fs'

import { errorCode, errorMessage } from '../../../packages/mainstay/src/core/errors.ts'
import { toJson } from '../../../packages/mainstay/src/core/json.ts'
import { SqliteStore, type Store } from '../../../packages/mainstay/src/store/index.ts'
import { SqliteConnection } from '../../../packages/mainstay/src/store/sqlite/connection.ts'

/** Straight to the pipe: what has been printed when the process is killed was true before. */
function print(value: unknown): void {
  writeSync(1, `${toJson(value)}\n`)
}

function explain(error: unknown): { code: string | undefined; message: string } {
  return { code: errorCode(error), message: errorMessage(error) }
}

/** One write of two rows that belong together. */
async function writePair(store: Store, name: string, bytes: number): Promise<void> {
  await store.write(async (queries) => {
    for (const half of ['a', 'b']) {
      const row = { id: `${name}-${half}`, workflow_id: name, name: half, data: 'x'.repeat(bytes), at: 0 }
      await queries.insertInto('workflow_signals').values(row).execute()
    }
  })
}

async function countRows(store: Store): Promise<number> {
  const { rows } = await store.read
    .selectFrom('workflow_signals')
    .select((expression) => expression.fn.countAll<number>().as('rows'))
    .executeTakeFirstOrThrow()
  return rows
}

const MODES: Record<string, (path: string) => Promise<void>> = {
  /** Writes for ever, four at a time, and prints the name of each pair once it is acknowledged. */
  write: async (path) => {
    const store = SqliteStore.open({ path })
    await store.migrate()
    let next = 0
    const lane = async (): Promise<never> => {
      for (;;) {
        const name = `${process.pid}.${next++}`
        await writePair(store, name, 100)
        print(name)
      }
    }
    await Promise.all([lane(), lane(), lane(), lane()])
  },

  /** Writes until the disk is full, makes room by deleting the ballast beside the database, and writes once more. */
  fill: async (path) => {
    const store = SqliteStore.open({ path })
    await store.migrate()
    let acknowledged = 0
    const fill = async (): Promise<void> => {
      for (; acknowledged < 100_000; acknowledged += 1) await writePair(store, `pair-${acknowledged}`, 4000)
    }
    const failure = await fill().catch((error: unknown) => error)
    rmSync(`${path}.ballast`)
    await writePair(store, 'after', 4000)
    print({ acknowledged, failure: explain(failure), rows: await countRows(store) })
    await store.close()
  },

  /** Opens, migrates, writes once, and prints what failed. */
  once: async (path) => {
    try {
      const store = SqliteStore.open({ path })
      const ran = await store.migrate()
      await writePair(store, `${process.pid}`, 10)
      print({ ran })
      await store.close()
    } catch (error) {
      print({ failure: explain(error) })
    }
  },

  /** Holds the lock of the file until its standard input is closed. */
  lock: async (path) => {
    const connection = new SqliteConnection({ path })
    connection.exec('begin immediate')
    print('locked')
    readFileSync(0)
    connection.exec('rollback')
    connection.close()
  },
}

const [mode = '', path = ''] = process.argv.slice(2)
await MODES[mode]!(path)
