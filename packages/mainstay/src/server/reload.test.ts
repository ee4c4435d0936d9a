import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { createLogger } from '../core/logging.ts'
import { loadConfig } from './config/load.ts'
import { startServer } from './start-server.ts'

test('20.2 another configuration changes the level of the log and the rules of who may do what, while it serves', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-reload-'))
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(async () => await rm(directory, { recursive: true }))
  const file = join(directory, 'policy.yaml')
  await writeFile(file, '"os_masakari_api:segments:index": "@"')
  const settings = [
    'server.listen=127.0.0.1:0',
    `server.data_dir=${directory}`,
    'compute.simulated_hosts=1',
    'compute.simulated_guests=1',
    `policy.file=${file}`,
  ]
  const logger = createLogger({ level: 'error', destination: { write: () => undefined } })
  const server = await startServer(await loadConfig({ set: [...settings, 'log.level=error'] }), { logger })
  cleanup.defer(async () => await server.stop())
  const status = async (): Promise<number> => (await fetch(`${server.url}/v1/segments`)).status
  expect(await status()).toBe(200)
  await writeFile(file, '"os_masakari_api:segments:index": "!"')
  await server.reload(await loadConfig({ set: [...settings, 'log.level=debug'] }))
  expect(await status()).toBe(403)
  expect(logger.level).toBe('debug')
}, 60_000)
