import { createRequire, registerHooks } from 'node:module'
import { isRunnerLibrary, moduleLabel } from '../core/roots.ts'
import type { Root } from '../core/roots.ts'

const require = createRequire(import.meta.url)
/** The real one: a test may leave a fake in its place, and what waits for that would wait for ever. */
const soon = setImmediate

/**
 * Which ES modules this process has loaded. Node keeps no list, so a synchronous resolve hook writes one down, with who
 * imported whom; importing an evaluated module again gives the same namespace (testkit.md B3).
 */
export class LoadedModules {
  readonly #importers = new Map<string, Set<string>>()
  readonly #namespaces = new Map<string, object>()
  readonly #asked = new Set<string>()
  readonly #ownFile: (file: string) => boolean
  readonly #root: string
  #fresh = false

  constructor(root: string, ownFile: (file: string) => boolean) {
    this.#root = root
    this.#ownFile = ownFile
    registerHooks({
      resolve: (specifier, context, next) => {
        const resolved = next(specifier, context)
        this.#note(resolved.url, context.parentURL)
        return resolved
      },
    })
  }

  /** Imports what is new. A module that is still being evaluated answers later; nobody waits for it. */
  async collect(): Promise<void> {
    if (!this.#fresh) return
    this.#fresh = false
    const pending: Promise<unknown>[] = []
    for (const url of this.#importers.keys()) {
      if (this.#asked.has(url) || !this.#isSource(url)) continue
      this.#asked.add(url)
      pending.push(
        import(url).then(
          (namespace: object) => this.#namespaces.set(url, namespace),
          // A module that fails to evaluate has failed for its importer too: there is nothing to look at.
          () => undefined,
        ),
      )
    }
    if (pending.length > 0) await Promise.race([Promise.all(pending), new Promise((resolve) => soon(resolve))])
  }

  /** sinon's own build for `import`, which is not the one that `require` gives. */
  async sinon(): Promise<object[]> {
    const urls = [...this.#importers.keys()].filter((url) => url.endsWith('/node_modules/sinon/pkg/sinon-esm.js'))
    const found = await Promise.all(urls.map(async (url) => ((await import(url)) as { default?: unknown }).default))
    return found.filter((api) => typeof api === 'object' && api !== null)
  }

  roots(): Root[] {
    const roots: Root[] = []
    for (const [url, exports] of this.#namespaces) {
      if (require.cache[filename(url)]) continue
      roots.push({
        label: moduleLabel(filename(url), this.#root),
        id: url,
        exports,
        importers: this.#importers.get(url),
      })
    }
    return roots
  }

  #note(url: string, parent: string | undefined): void {
    if (!url.startsWith('file:')) return
    let importers = this.#importers.get(url)
    if (!importers) {
      this.#importers.set(url, (importers = new Set()))
      this.#fresh = true
    }
    if (parent !== undefined) importers.add(parent)
  }

  #isSource(url: string): boolean {
    const file = filename(url)
    if (this.#ownFile(file) || isRunnerLibrary(file) || file === process.argv[1]) return false
    return /\.(m?[jt]s)$/.test(file) && !/\.(test|spec)\.[cm]?[jt]sx?$/.test(file) && this.#importers.get(url)!.size > 0
  }
}

function filename(url: string): string {
  return decodeURIComponent(url.replace(/^file:\/\//, '').replace(/[?#].*$/, ''))
}
