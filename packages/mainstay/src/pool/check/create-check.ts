import type { Clock } from '../../core/clock.ts'
import type { Provider } from '../provider/provider.ts'
import type { HealthCheck } from './check.ts'
import { allOf } from './all-of.ts'
import { hookCheck, type HookCheckOptions } from './hook-check.ts'
import { httpCheck, type HttpCheckOptions } from './http-check.ts'
import { providerCheck } from './provider-check.ts'
import { sshCheck, type SshCheckOptions } from './ssh-check.ts'
import { tcpCheck, type TcpCheckOptions } from './tcp-check.ts'

/** One check as the configuration names it. */
export type CheckOptions =
  | ({ readonly kind: 'ssh' } & Partial<SshCheckOptions>)
  | ({ readonly kind: 'tcp' } & Pick<TcpCheckOptions, 'port'> & Partial<TcpCheckOptions>)
  | ({ readonly kind: 'http' } & Partial<HttpCheckOptions>)
  | { readonly kind: 'provider'; readonly askTimeoutMs?: number }
  | ({ readonly kind: 'hook' } & HookCheckOptions)

/** The checks of one group, in this order; the cheapest belongs first. */
export function createCheck(
  options: readonly CheckOptions[],
  parts: { readonly clock: Clock; readonly provider: (name: string) => Provider | undefined },
): HealthCheck {
  return allOf(options.map((each) => createOne(each, parts)))
}

function createOne(
  options: CheckOptions,
  parts: { readonly clock: Clock; readonly provider: (name: string) => Provider | undefined },
): HealthCheck {
  switch (options.kind) {
    case 'ssh':
      return sshCheck(options)
    case 'tcp':
      return tcpCheck(options)
    case 'http':
      return httpCheck(options)
    case 'provider':
      return providerCheck({ ...parts, ...options })
    case 'hook':
      return hookCheck(options)
  }
}
