import { createRequire, SourceMap } from 'node:module'
import { nativeJson, nativeObject } from '../core/natives.ts'
import type { MapPosition } from '../report/frames.ts'
import { isRunnerLibrary, moduleLabel } from '../core/roots.ts'
import type { Root } from '../core/roots.ts'

/** What mockguard uses of Vitest's module runner. Private to Vitest, hence the checks of its shape. */
interface EvaluatedModule {
  readonly id: string
  readonly file?: string
  readonly exports?: unknown
  readonly importers?: ReadonlySet<string>
  readonly evaluated?: boolean
  readonly meta?: { readonly code?: string }
}

type ModuleMap = ReadonlyMap<string, EvaluatedModule>

/** The map of evaluated modules, or null when this Vitest keeps it in a shape that is not known. */
export function evaluatedModules(globals: object): ModuleMap | null {
  const worker = (globals as { __vitest_worker__?: { evaluatedModules?: { idToModuleMap?: unknown } } })
    .__vitest_worker__
  const map = worker?.evaluatedModules?.idToModuleMap
  if (!(map instanceof Map)) return null
  const first: unknown = map.values().next().value
  return first === undefined || (typeof first === 'object' && first !== null && 'id' in first)
    ? (map as ModuleMap)
    : null
}

export function vitestRoots(map: ModuleMap, root: string, ownFile: (file: string) => boolean): Root[] {
  const roots: Root[] = []
  for (const [id, node] of map) {
    const file = node.file ?? id
    if (node.exports === undefined || ownFile(file) || isRunnerLibrary(file) || !file.includes('/')) continue
    const mocked = id.startsWith('mock:') || file.includes('/__mocks__/')
    roots.push({
      label: moduleLabel(file.replace(/^mock:/, ''), root),
      id,
      exports: node.exports,
      importers: node.importers,
      mocked,
    })
  }
  return roots
}

/** What the program of this worker uses, by the modules that it has loaded. */
export function usageOf(globals: object): {
  usesBuiltin: (id: string) => boolean
  modulesLoaded: () => number
  hasOtherMocks: () => boolean
  mentions: (name: RegExp) => boolean
} {
  const modules = (): ModuleMap => evaluatedModules(globals) ?? new Map<string, EvaluatedModule>()
  return {
    modulesLoaded: () => modules().size,
    // Whoever imports `module` can make a `require`, and with it reach any other.
    usesBuiltin: (id) => [id, `node:${id}`, 'module', 'node:module'].some((name) => modules().has(name)),
    hasOtherMocks: () => [...modules().keys(), ...nativeObject.keys(require.cache)].some((id) => mockLibrary.test(id)),
    mentions: (name) =>
      modules()
        .values()
        .some(({ meta }) => meta?.code !== undefined && name.test(meta.code)),
  }
}

const mockLibrary =
  /[\\/]node_modules[\\/](sinon|testdouble|tinyspy|jest-mock|jest-mock-extended|ts-mockito|nock|msw|@vitest[\\/]spy)[\\/]/

/** sinon's own build for `import`, which is not the one that `require` gives. */
export function sinonModules(globals: object): object[] {
  const found: object[] = []
  for (const node of evaluatedModules(globals)?.values() ?? []) {
    if (!/[\\/]node_modules[\\/]sinon[\\/]/.test(node.file ?? node.id)) continue
    const api = (node.exports as { default?: unknown } | undefined)?.default
    if (typeof api === 'object' && api !== null) found.push(api)
  }
  return found
}

const require = createRequire(import.meta.url)

/** CommonJS modules that Node itself has loaded. */
export function commonJsRoots(
  root: string,
  ownFile: (file: string) => boolean,
  cache: NodeJS.Dict<NodeJS.Module> = require.cache,
): Root[] {
  const roots: Root[] = []
  const importers = new Map<string, Set<string>>()
  for (const [file, module] of nativeObject.entries(cache)) {
    for (const child of module?.children ?? []) {
      let set = importers.get(child.filename)
      if (!set) importers.set(child.filename, (set = new Set()))
      set.add(file)
    }
  }
  for (const [file, module] of nativeObject.entries(cache)) {
    if (!module?.loaded || ownFile(file) || isRunnerLibrary(file)) continue
    roots.push({
      label: moduleLabel(file, root),
      id: file,
      exports: module.exports,
      importers: importers.get(file),
      mocked: file.includes('/__mocks__/'),
    })
  }
  return roots
}

/** Positions of transformed code, by the source map that the transform left in the code. Read only for a finding. */
export function mapByInlineSource(map: ModuleMap): MapPosition {
  const maps = new Map<string, SourceMap | null>()
  return (file, line, column) => {
    let found = maps.get(file)
    if (found === undefined) maps.set(file, (found = sourceMapOf(map.get(file)?.meta?.code)))
    const entry = found?.findEntry(line - 1, column - 1)
    return entry && 'originalLine' in entry ? { line: entry.originalLine + 1 } : undefined
  }
}

function sourceMapOf(code: string | undefined): SourceMap | null {
  const encoded = /\/\/# sourceMappingURL=data:application\/json;[^,]*base64,([\w+/=]+)\s*$/.exec(code ?? '')?.[1]
  if (encoded === undefined) return null
  return new SourceMap(
    nativeJson.parse(Buffer.from(encoded, 'base64').toString('utf8')) as ConstructorParameters<typeof SourceMap>[0],
  )
}
