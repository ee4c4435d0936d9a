/**
 * A process that serves the HA API from a SQLite file whose disk fills up: `ha-process.ts PATH`. It creates segments until
 * one is refused, makes room by deleting the ballast beside the file, creates one more, and prints what was answered.
 */
import { rmSync } from 'node:fs'

import { toJson } from '../../../packages/mainstay/src/core/json.ts'
import { startHa } from '../../../packages/mainstay/src/ha/testing/start-ha.ts'
import { SqliteStore } from '../../../packages/mainstay/src/store/index.ts'

const [path = ''] = process.argv.slice(2)
const store = SqliteStore.open({ path })
await store.migrate()
await using ha = await startHa({ store })

let created = 0
const create = async (): ReturnType<typeof ha.send> => {
  const segment = {
    name: `s${created++}`,
    recovery_method: 'auto',
    service_type: 'COMPUTE',
    description: 'x'.repeat(9000),
  }
  return await ha.send('POST', '/v1/segments', { body: { segment } })
}
let answer = await create()
while (answer.status === 201) answer = await create()
const read = await ha.send('GET', '/v1/segments?limit=1', {})
rmSync(`${path}.ballast`)
const after = await create()
process.stdout.write(
  `${toJson({ refused: answer.status, body: answer.json, read: read.status, after: after.status })}\n`,
)
await store.close()
