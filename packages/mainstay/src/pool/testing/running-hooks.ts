import { ProviderTransientError } from '../provider/errors.ts'
import type { Provider } from '../provider/provider.ts'

export type HookKind = 'create' | 'destroy' | 'start' | 'stop' | 'reset'

interface RunningHook {
  readonly kind: HookKind
  readonly killed: AbortController
}

/**
 * What providers do to machines, each as if a process did it: it can be killed at any moment. What the cloud had begun by
 * then goes on there, and nobody waits for it.
 */
export class RunningHooks {
  readonly #running = new Set<RunningHook>()

  count(kind: HookKind): number {
    return [...this.#running].filter((hook) => hook.kind === kind).length
  }

  /** Kills the one of a kind that began first. @returns whether there was one */
  kill(kind: HookKind): boolean {
    const hook = [...this.#running].find((each) => each.kind === kind && !each.killed.signal.aborted)
    hook?.killed.abort()
    return hook !== undefined
  }

  /** The same provider with hooks that can be killed. */
  of(provider: Provider): Provider {
    const { name, driver, installation, capabilities } = provider
    const hook = async <T>(
      kind: HookKind,
      signal: AbortSignal,
      work: (signal: AbortSignal) => Promise<T>,
    ): Promise<T> => await this.#run(name, kind, signal, work)
    return {
      name,
      driver,
      installation,
      capabilities,
      create: async (request) =>
        await hook('create', request.signal, async (signal) => await provider.create({ ...request, signal })),
      destroy: async (machine, asking) =>
        await hook('destroy', asking.signal, async (signal) => await provider.destroy(machine, { signal })),
      start: async (machine, asking) =>
        await hook('start', asking.signal, async (signal) => await provider.start(machine, { signal })),
      stop: async (machine, asking) =>
        await hook('stop', asking.signal, async (signal) => await provider.stop(machine, { signal })),
      reset: async (machine, asking) =>
        await hook('reset', asking.signal, async (signal) => await provider.reset(machine, { signal })),
      list: async (asking) => await provider.list(asking),
      describe: async (machine, asking) => await provider.describe(machine, asking),
      quota: async (asking) => await provider.quota(asking),
      listResources: async (asking) => await provider.listResources(asking),
      destroyResource: async (resource, asking) => await provider.destroyResource(resource, asking),
      close: async () => await provider.close(),
    }
  }

  async #run<T>(
    provider: string,
    kind: HookKind,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const killed = new AbortController()
    const running = { kind, killed }
    this.#running.add(running)
    try {
      return await work(AbortSignal.any([signal, killed.signal]))
    } catch (error) {
      if (!killed.signal.aborted || signal.aborted) throw error
      throw new ProviderTransientError(provider, `Provider ${provider}: the hook "${kind}" was ended by SIGKILL.`)
    } finally {
      this.#running.delete(running)
    }
  }
}
