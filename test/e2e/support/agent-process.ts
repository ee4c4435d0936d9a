import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

import { SystemClock } from '../../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../../packages/mainstay/src/core/ids.ts'
import { createLogger } from '../../../packages/mainstay/src/core/logging.ts'
import { SystemRandom } from '../../../packages/mainstay/src/core/random.ts'
import {
  agentOptions,
  importMonitorsConf,
  runAgent,
  type StartMonitor,
} from '../../../packages/mainstay/src/monitors/index.ts'

/**
 * An agent whose monitor sees what it is told on the socket that it is given: one `<uuid> <vir_domain_event>` a line. It
 * prints `accepted <uuid> <vir_domain_event> <id>` as soon as the spool has taken it, and `ready` when it runs.
 */
const dictated: StartMonitor = async ({ sink, clock }, options) => {
  const see = (line: string): void => {
    const [uuid = '', virDomainEvent = ''] = line.split(' ')
    const payload = { event: 'LIFECYCLE', instance_uuid: uuid, vir_domain_event: virDomainEvent }
    void sink
      .accept({ type: 'VM', hostname: options.hostname, detectedAtMs: clock.now(), payload })
      .then(({ id }) => process.stdout.write(`accepted ${line} ${id}\n`))
  }
  const dictating = new Set<Socket>()
  const server = createServer((socket) => {
    dictating.add(socket)
    createInterface({ input: socket }).on('line', see)
  })
  server.listen({ fd: Number(process.env['MAINSTAY_LISTEN_FDS']?.split(':')[1]) })
  return {
    health: () => ({ ready: true, detail: 'listening' }),
    reload: ({ hostname }) => void process.stdout.write(`reloaded ${hostname}\n`),
    stop: async () => {
      server.close()
      for (const socket of dictating) socket.destroy()
    },
  }
}

const [file = ''] = process.argv.slice(2)
const exit = await runAgent(
  {
    monitors: ['instance'],
    load: async () => agentOptions(importMonitorsConf(readFileSync(file, 'utf8'), file).options),
  },
  {
    clock: new SystemClock(),
    ids: new SystemIds(),
    random: new SystemRandom(),
    logger: createLogger({ format: 'json' }),
    monitors: {
      instance: async (context, options) => {
        const monitor = await dictated(context, options)
        process.stdout.write('ready\n')
        return monitor
      },
    },
  },
)
process.exitCode = exit.code
