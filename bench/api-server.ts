import { createServer } from 'node:http'

import { SystemClock } from '../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../packages/mainstay/src/core/ids.ts'
import { silentLogger } from '../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../packages/mainstay/src/core/metrics.ts'
import {
  createHaApi,
  defaultHaOptions,
  defaultRules,
  importDatabase,
  openDatabaseSource,
} from '../packages/mainstay/src/ha/index.ts'
import { createHttpApp, keystoneAuthentication, listenOn, Policy } from '../packages/mainstay/src/http/index.ts'
import { KeystoneSession, TokenValidator, Transport } from '../packages/mainstay/src/openstack/index.ts'
import { startRecovery } from '../packages/mainstay/src/recovery/index.ts'
import { PostgresStore, SqliteStore, type Store } from '../packages/mainstay/src/store/index.ts'

/**
 * The server under the load of `bench/api.ts`, in a process of its own: the HA API with tokens that are checked with a
 * small Keystone once and remembered then. Ends when its input does.
 *
 * Arguments: a SQLite path or a postgres URL; the old database whose records it starts with.
 */
const [target = '', data = ''] = process.argv.slice(2)
const clock = new SystemClock()
const logger = silentLogger()
const ids = new SystemIds()
const store: Store = target.startsWith('postgres')
  ? PostgresStore.open({ url: target, clock, logger })
  : SqliteStore.open({ path: target })
await store.migrate()
const source = openDatabaseSource(data)
await importDatabase(store, source, { signal: new AbortController().signal })
source.close()

const keystoneUrl = await smallKeystone()
const session = new KeystoneSession({
  clock,
  transport: new Transport({ clock }),
  authUrl: keystoneUrl,
  credentials: { kind: 'application-credential', id: 'bench', secret: 'bench' },
})
const policy = new Policy({ clock, logger, defaults: defaultRules() })
const app = createHttpApp({ clock, ids, metrics: new Metrics() })
await app.register(
  createHaApi({
    store,
    clock,
    ids,
    logger,
    options: defaultHaOptions,
    platform: { computeHostExists: async () => true },
    startRecovery: async (queries, notification) => {
      await startRecovery(queries, notification, clock.now())
      return () => undefined
    },
    readProgress: async () => [],
    authenticate: keystoneAuthentication({
      validator: new TokenValidator({ clock, session }),
      authenticateUri: keystoneUrl,
      isAdmin: (context) => policy.authorize('context_is_admin', context),
    }),
    authorize: (rule, context) => policy.authorize(rule, context),
  }),
)
process.stdout.write(`${await listenOn(app, { host: '127.0.0.1', port: 0 })}\n`)
process.stdin.resume().on('end', () => process.exit(0))

/** Knows one token of an admin; what it answers is as Keystone would. */
async function smallKeystone(): Promise<string> {
  const token = {
    expires_at: new Date(clock.now() + 3_600_000).toISOString(),
    user: { id: 'u', name: 'admin', domain: { id: 'default' } },
    project: { id: 'p', name: 'admin', domain: { id: 'default' } },
    roles: [{ id: 'r', name: 'admin' }],
  }
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(request.method === 'POST' ? 201 : 200, {
      'Content-Type': 'application/json',
      'X-Subject-Token': 'service',
    })
    response.end(JSON.stringify({ token }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The small Keystone has no port.')
  return `http://127.0.0.1:${address.port}`
}
