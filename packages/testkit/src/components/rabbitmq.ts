import { connect } from 'node:net'
import type { ServerSpec } from '../spec.ts'
import type { ComponentOptions } from './component.ts'
import { knownConfig } from './component-config.ts'
import { findExecutable } from '../process/executable.ts'

/** The first bytes of AMQP 0-9-1; a broker that is up answers with a method frame (type 1). */
const protocolHeader = Buffer.from('AMQP\0\0\u0009\u0001', 'latin1')

/**
 * A private RabbitMQ with its own `epmd`, which leaves the group and outlives its starter: it is found by its marker.
 *
 * Everything is set by environment, so nothing of the machine's own broker is read or written. `plugins` (a configuration
 * key) is the text of its `enabled_plugins`.
 */
export function rabbitmq(options: ComponentOptions): ServerSpec {
  return {
    name: options.name ?? 'rabbitmq',
    dependsOn: options.dependsOn ?? [],
    config: knownConfig('rabbitmq', { plugins: '[].\n' }, options.config),
    listen: [
      { name: 'amqp', handover: 'none' },
      { name: 'dist', handover: 'none' },
      { name: 'epmd', handover: 'none' },
    ],
    files: [
      { name: 'enabled_plugins', content: '%(plugins)s' },
      {
        name: 'rabbitmq.conf',
        content: 'listeners.tcp.1 = 127.0.0.1:%(port)s\nloopback_users = none\nlog.console = true\nlog.file = false\n',
      },
    ],
    command: [serverScript()],
    env: ({ port, ports, dataDir, logDir, runDir, etc, runId }) => ({
      HOME: dataDir,
      RABBITMQ_NODENAME: `t${port}-${runId.slice(0, 8)}@localhost`,
      RABBITMQ_CONFIG_FILE: `${etc}/rabbitmq`,
      RABBITMQ_CONF_ENV_FILE: `${etc}/none`,
      RABBITMQ_ENABLED_PLUGINS_FILE: `${etc}/enabled_plugins`,
      RABBITMQ_MNESIA_BASE: `${dataDir}/mnesia`,
      RABBITMQ_LOG_BASE: logDir,
      RABBITMQ_PID_FILE: `${runDir}/rabbit.pid`,
      RABBITMQ_DIST_PORT: String(ports['dist']),
      ERL_EPMD_PORT: String(ports['epmd']),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none',
    }),
    startTimeoutMs: 60_000,
    // A listener alone is not enough: the broker refuses logins until it has booted.
    ready: { all: [{ log: /completed with/ }, { fn: ({ ports }) => speaksAmqp(ports['amqp'] ?? 0) }] },
    stop: { graceMs: 15_000, killAfterMs: 20_000, deadlineMs: 25_000 },
    available: async () =>
      findExecutable(serverScript()) === undefined || findExecutable('epmd') === undefined
        ? { ok: false, why: 'rabbitmq-server not found: apt-get install rabbitmq-server' }
        : { ok: true, version: 'rabbitmq' },
  }
}

/** Debian's /usr/sbin/rabbitmq-server changes to another user; the script behind it does not. */
function serverScript(): string {
  return findExecutable('/usr/lib/rabbitmq/bin/rabbitmq-server') ?? 'rabbitmq-server'
}

/** Whether a broker answers the protocol header. */
export async function speaksAmqp(port: number): Promise<boolean> {
  return await new Promise<boolean>((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.setTimeout(2000, () => socket.destroy(new Error('no AMQP answer within 2 s')))
    socket.once('error', reject)
    socket.once('connect', () => socket.write(protocolHeader))
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data[0] === 1)
    })
  })
}
