import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'

import { Cluster, type ServerSpec } from '@mainstay/testkit'
import { onTestFinished } from 'vitest'

import { type Ended, ManagedProcess, programSpec, startAlone } from '../../support/managed-process.ts'

const PROGRAM = fileURLToPath(new URL('agent-process.ts', import.meta.url))
const PATIENCE_MS = 20_000

/** The agent of `agent-process.ts`, which is told on a socket what its monitor sees. */
function spec(configFile: string): ServerSpec {
  return {
    ...programSpec('agent', [process.execPath, PROGRAM, configFile]),
    listen: [{ name: 'dictation' }],
    ready: { log: /^ready$/ },
    startTimeoutMs: PATIENCE_MS,
  }
}

/** A real agent in a process of its own, whose monitor sees what the test dictates. */
export class AgentProcess extends ManagedProcess {
  readonly #dictation: Socket

  private constructor(cluster: Cluster) {
    super(cluster)
    this.#dictation = connect(this.server.port, '127.0.0.1')
    this.#dictation.on('error', () => undefined) // it was killed while we dictated
  }

  /** Starts one on this configuration file and waits until it runs; it is killed after the test at the latest. */
  static async start(configFile: string): Promise<AgentProcess> {
    const agent = new AgentProcess(await startAlone(spec(configFile)))
    onTestFinished(async () => await agent.kill())
    return agent
  }

  /** Starts one that must end before it runs. */
  static async startInVain(configFile: string): Promise<Ended> {
    await using cluster = await Cluster.create({ name: 'agent', servers: [spec(configFile)] })
    await cluster.expectNoLaunch('agent')
    return await new ManagedProcess(cluster).ended()
  }

  /** Lets its monitor see something. */
  see(uuid: string, virDomainEvent: string): void {
    this.#dictation.write(`${uuid} ${virDomainEvent}\n`)
  }

  /** What it said it had accepted, as `uuid virDomainEvent`. */
  get accepted(): { fact: string; id: string }[] {
    return this.lines().flatMap((line) => {
      const [word, uuid, event, id = ''] = line.split(' ')
      return word === 'accepted' ? [{ fact: `${uuid} ${event}`, id }] : []
    })
  }

  override async kill(): Promise<void> {
    this.#dictation.destroy()
    await super.kill()
  }
}
