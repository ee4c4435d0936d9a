/** One loaded module, as a place from which members are reachable. */
export interface Root {
  /** How the module is called in a path: relative to the project, a bare specifier, or `node:fs`. */
  readonly label: string
  readonly id: string
  /** The namespace or `module.exports`. Absent while the module is still being evaluated. */
  readonly exports: unknown
  /** Ids of the modules that import this one: among several homes of an object the imported one is its name. */
  readonly importers?: ReadonlySet<string> | undefined
  /** Mocks of this module belong to the file and are no leak: a hoisted `vi.mock`, a `__mocks__` folder. */
  readonly mocked?: boolean
}

const libraries =
  /[\\/]node_modules[\\/](?:\.pnpm[\\/][^\\/]+[\\/]node_modules[\\/])?(?:vitest|@vitest[\\/][^\\/]+|jest|jest-[^\\/]+|@jest[\\/][^\\/]+|sinon|@sinonjs[\\/][^\\/]+|tinyspy|chai|expect|expect-[^\\/]+|vite|fast-check)[\\/]/

/** Runners and mock libraries: their own spies and counters are not the user's. */
export function isRunnerLibrary(file: string): boolean {
  return libraries.test(file)
}

/** The name of a module in a path (testkit.md B6). `root` is the absolute folder of the project. */
export function moduleLabel(file: string, root: string): string {
  const clean = file.replace(/^file:\/\//, '').replace(/[?#].*$/, '')
  const dependency = clean.lastIndexOf('/node_modules/')
  if (dependency >= 0) {
    const rest = clean.slice(dependency + '/node_modules/'.length).split('/')
    return rest[0]?.startsWith('@') ? rest.slice(0, 2).join('/') : (rest[0] ?? clean)
  }
  const folder = root.endsWith('/') ? root : `${root}/`
  return clean.startsWith(folder) ? clean.slice(folder.length) : clean
}
