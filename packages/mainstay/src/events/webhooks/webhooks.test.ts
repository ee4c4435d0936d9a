import { vi } from 'vitest'

import { webhookConformance } from './conformance.ts'

// Every test has a database and sockets of its own, which take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

webhookConformance('webhooks on SQLite', async () => undefined)
