import type { Clock } from '../../core/clock.ts'
import type { Config } from '../config/schema.ts'
import { startServer } from '../start-server.ts'
import { commandConfig, type ConfigurationOptions } from './command-config.ts'
import type { Running } from './running.ts'

export interface ServeOptions extends ConfigurationOptions {
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly roles?: readonly string[] | undefined
  /** `HOST:PORT`. */
  readonly listen?: string | undefined
  readonly compute?: string | undefined
  readonly simHosts?: number | undefined
  readonly simGuests?: number | undefined
  readonly simSeed?: number | undefined
  readonly insecureNoAuth: boolean
}

/** `mainstay serve`. @throws what {@link startServer} throws */
export async function serve(options: ServeOptions): Promise<Running> {
  const read = async (): Promise<Config> => {
    return await commandConfig(options, {
      'server.roles': options.roles,
      'server.listen': options.listen,
      'server.insecure_no_auth': options.insecureNoAuth ? true : undefined,
      'compute.driver': options.compute,
      'compute.simulated_hosts': options.simHosts,
      'compute.simulated_guests': options.simGuests,
      'compute.simulated_seed': options.simSeed,
    })
  }
  const server = await startServer(await read(), { clock: options.clock, readAgain: read })
  // A server has no end of its own: what fails in it is logged, retried or shown on /health/ready.
  const ended = new Promise<void>(() => {})
  const reload = async (): Promise<void> => await server.reload(await read())
  return { banner: server.banner, ended, reload, stop: async () => await server.stop() }
}
