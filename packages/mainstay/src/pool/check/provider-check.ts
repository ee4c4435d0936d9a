import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { TimeoutError } from '../../core/errors.ts'
import { ProviderError } from '../provider/errors.ts'
import type { Machine, Provider } from '../provider/provider.ts'
import { CheckNotRunError, PASSED, failed, type CheckedVm, type HealthCheck } from './check.ts'

export interface ProviderCheckOptions {
  readonly clock: Clock
  readonly provider: (name: string) => Provider | undefined
  /**
   * The longest that the provider may take to answer, in milliseconds. Shorter than the check's own time: a slow provider must not
   * count against the machine.
   */
  readonly askTimeoutMs?: number
}

const DEFAULT_ASK_TIMEOUT_MS = 5_000

/** Asks the machine's provider whether it runs. A provider that fails says nothing about the machine. Source: vm-pool.md C7. */
export function providerCheck(options: ProviderCheckOptions): HealthCheck {
  const { clock, askTimeoutMs: timeoutMs = DEFAULT_ASK_TIMEOUT_MS } = options
  return async (vm, { signal }) => {
    const provider = vm.provider === null ? undefined : options.provider(vm.provider)
    if (provider === undefined) throw new CheckNotRunError(vm.name, `its provider ${vm.provider} is not configured.`)
    const what = `Provider ${provider.name}`
    try {
      const machine = await withDeadline({ clock, what, timeoutMs, signal }, async (bounded) => {
        return await provider.describe({ name: vm.name, providerId: vm.providerId }, { signal: bounded })
      })
      return judge(vm, machine)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof ProviderError || error instanceof TimeoutError) {
        throw new CheckNotRunError(vm.name, error.message, { cause: error })
      }
      throw error
    }
  }
}

function judge({ name, provider }: CheckedVm, machine: Machine | undefined) {
  switch (machine?.status) {
    case 'running':
      return PASSED
    case undefined:
      return failed(`provider ${provider} has no such machine`)
    case 'stopped':
    case 'error':
    case 'deleting':
      return failed(`provider ${provider} shows it ${machine.status}`)
    case 'building':
    case 'unknown':
      throw new CheckNotRunError(name, `provider ${provider} shows it ${machine.status}.`)
  }
}
