import { posix } from 'node:path'

import { groundFloorUses } from './ground-floor.ts'
import { importsOf, lineOf, readSource, type Import, type SourceText } from './source-text.ts'

/** A file of the repository; `path` is relative to its root, with `/`. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

export interface Finding {
  readonly rule: string
  readonly path: string
  readonly line: number
  readonly message: string
}

/** The floors of the program, lowest first. An import may only point down, or stay. */
export const FLOORS: Readonly<Record<string, number>> = {
  core: 1,
  store: 2,
  openstack: 2,
  client: 3,
  journal: 3,
  compute: 3,
  http: 3,
  ha: 4,
  recovery: 4,
  pool: 4,
  events: 4,
  monitors: 4,
  server: 5,
  simulation: 5,
  cli: 6,
}

/** Rooms side by side that still must not know each other: they meet through the journal and the `Publish` port. */
const STRANGERS: readonly (readonly [from: string, to: string])[] = [
  ['ha', 'recovery'],
  ...['ha', 'recovery', 'pool', 'monitors'].map((room) => [room, 'events'] as const),
]

/** Who may import a driver, a clock or what gives modules by their names: each with its parts and relatives. */
const DRIVERS: readonly { modules: RegExp; home: string; typesElsewhere: boolean }[] = [
  { modules: /^(?:node:)?sqlite(?:\/|$)/, home: 'store/sqlite/connection.ts', typesElsewhere: false },
  { modules: /^pg(?:-[\w-]+)?(?:\/|$)/, home: 'store/postgres/', typesElsewhere: false },
  { modules: /^(?:@redis\/[\w-]+|redis)(?:\/|$)/, home: 'store/redis/', typesElsewhere: true },
  { modules: /^(?:node:)?(?:timers|perf_hooks)(?:\/|$)/, home: 'core/', typesElsewhere: false },
  { modules: /^(?:node:)?(?:module|vm)(?:\/|$)/, home: 'core/', typesElsewhere: false },
]

/** Sources of the program that import what is known only when they run. None does today. */
const IMPORTS_BY_VARIABLE: ReadonlySet<string> = new Set()

/** What the program's own package gives to others, by its name. */
const OWN_EXPORTS: Readonly<Record<string, string>> = {
  'mainstay/client': 'client/index.ts',
  'mainstay/testkit': 'server/testkit-specs.ts',
}

const PROGRAM = 'packages/mainstay/src/'
/** A path of the repository outside of the program's sources, a file by its place, or a name of its own unknown to it. */
const LEAVES_THE_PROGRAM =
  /^(?:packages\/(?!mainstay\/src\/)|test\/|scripts\/|bench\/|docs\/|node_modules\/|\.\.|\/|file:|data:|#|mainstay(?:\/|$))/
const STANDALONE = ['testkit', 'mockguard', 'libvirt-rpc'] as const
const VAGUE_NAME = /^(?:utils?|helpers?|common|types|misc|shared|stuff|.*\D\d)$/
const KEBAB_CASE = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|bench|config|d))?$/
const TEST_FILE = /(?:\.test\.ts|\/conformance\.ts|\/testing\/[^/]+\.ts)$/
/** Not a name that begins like the word before it: "the host host-1". */
const DOUBLED_WORD = /\b([A-Za-z]{2,})(?:[ \t]+|\s*\n\s*(?:\*|\/\/)?\s*)\1\b(?![-\w./=:])/g

/** In a string, which may be a command with twice the same argument, only words that cannot follow themselves. */
const DOUBLED_SMALL_WORD =
  /\b(the|then|than|an|in|on|is|it|its|if|but|or|for|at|and|do|to|of|was|are|be|by|with)\s+\1\b/gi

/** Everything in a file that breaks a rule of the house. */
export function findBreaches(file: SourceFile): Finding[] {
  const source = readSource(file.text)
  const imports = importsOf(source)
  const finding = (rule: string, start: number, message: string): Finding => ({
    rule,
    path: file.path,
    line: lineOf(file.text, start),
    message,
  })
  return [
    ...imports.flatMap((each) =>
      importBreaches(file.path, each).map(([rule, text]) => finding(rule, each.start, text)),
    ),
    ...callBreaches(file.path, source).map(([rule, start, text]) => finding(rule, start, text)),
    ...formBreaches(source).map(([rule, start, text]) => finding(rule, start, text)),
    ...nameBreaches(file.path).map(([rule, text]) => finding(rule, 0, text)),
  ]
}

type Breach = readonly [rule: string, message: string]
type PlacedBreach = readonly [rule: string, start: number, message: string]

function importBreaches(path: string, each: Import): Breach[] {
  const target = resolve(path, each.specifier)
  return [
    ...floorBreaches(path, target),
    ...standaloneBreaches(path, target),
    ...driverBreaches(path, each),
    ...shellBreaches(path, each),
  ]
}

/** A relative import as a path of the repository; others as they are. */
function resolve(path: string, specifier: string): string {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(path), specifier)
  const own = path.startsWith(PROGRAM) ? OWN_EXPORTS[specifier] : undefined
  return own === undefined ? specifier : PROGRAM + own
}

function floorBreaches(path: string, target: string): Breach[] {
  if (!path.startsWith(PROGRAM)) return []
  if (LEAVES_THE_PROGRAM.test(target)) return [['program', `the program runs without ${target}`]]
  if (!target.startsWith(PROGRAM)) return []
  const from = roomOf(path)
  const to = roomOf(target)
  if (from === to) return []
  const [own, other] = [FLOORS[from], FLOORS[to]]
  if (own === undefined || other === undefined) {
    return [['floor', `the room ${own === undefined ? from : to} has no floor: add it to the table of floors`]]
  }
  if (other > own) return [['floor', `${from} (floor ${own}) imports ${to} (floor ${other}), which is above it`]]
  if (own !== 4 || other !== 4) return []
  if (STRANGERS.some(([a, b]) => a === from && b === to)) {
    return [['stranger', `${from} must not know ${to}: use an event, or a port that the server fills in`]]
  }
  if (target !== `${PROGRAM}${to}/index.ts`) {
    return [['inside', `${from} imports the inside of ${to}: take it from ${to}/index.ts`]]
  }
  return []
}

function standaloneBreaches(path: string, target: string): Breach[] {
  const [, name = ''] = /^packages\/([^/]+)\//.exec(path) ?? []
  const ours = /^(?:mainstay|@mainstay\/[^/]+)(?=\/|$)/.exec(target)?.[0]
  const leaves =
    target.startsWith('..') ||
    (/^(?:packages|test|scripts|bench)\//.test(target) && !target.startsWith(`packages/${name}/`))
  if (STANDALONE.some((each) => each === name)) {
    const foreign = leaves || (ours !== undefined && ours !== `@mainstay/${name}`)
    return foreign ? [['standalone', `${name} stands on its own: it must not import ${target}`]] : []
  }
  if (name === 'dashboard' && (leaves || (ours !== undefined && target !== 'mainstay/client'))) {
    return [['standalone', `the dashboard knows the public API only: it must not import ${target}`]]
  }
  return []
}

function driverBreaches(path: string, { specifier, typeOnly }: Import): Breach[] {
  const driver = DRIVERS.find(({ modules }) => modules.test(specifier))
  if (driver === undefined || !path.startsWith(PROGRAM) || TEST_FILE.test(path)) return []
  if (path.startsWith(PROGRAM + driver.home) || (typeOnly && driver.typesElsewhere)) return []
  return [['driver', `only ${driver.home} imports ${specifier}`]]
}

function shellBreaches(path: string, { specifier, names }: Import): Breach[] {
  if (!path.startsWith(PROGRAM) || !/^(?:node:)?child_process$/.test(specifier)) return []
  if (/\bexec(?:Sync)?\b/.test(names))
    return [['shell', 'a program is run by its arguments (runCommand), not by a shell']]
  return []
}

/** `import()` of anything but one string; the marks of a string stand in the code, its text is blanked. */
const IMPORT_OF_UNKNOWN = /\bimport\s*\((?!\s*(['"])\s*\1\s*[,)])/g

function callBreaches(path: string, { code }: SourceText): PlacedBreach[] {
  if (!path.startsWith(PROGRAM)) return []
  const shell = [...code.matchAll(/\bshell\s*:\s*true\b|\bchild_process\s*\.\s*exec\b/g)].map(
    ({ index }): PlacedBreach => ['shell', index, 'a program is run by its arguments (runCommand), not by a shell'],
  )
  if (TEST_FILE.test(path)) return shell
  const unknown = IMPORTS_BY_VARIABLE.has(path) ? [] : [...code.matchAll(IMPORT_OF_UNKNOWN)]
  const ground = path.startsWith(`${PROGRAM}core/`) ? [] : groundFloorUses(code)
  return [
    ...shell,
    ...unknown.map(({ index }): PlacedBreach => ['unknown import', index, 'what is imported stands in the import']),
    ...ground.map(({ start, what }): PlacedBreach => ['ground', start, `${what} is for core/ alone`]),
  ]
}

function formBreaches({ code, comments, strings }: SourceText): PlacedBreach[] {
  const forms: readonly (readonly [rule: string, pattern: RegExp, message: string])[] = [
    ['default export', /\bexport\s+default\b|\bas\s+default\b/g, 'exports have names'],
    ['enum', /^[ \t]*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/gm, 'a union of texts says the same'],
    ['namespace', /^[ \t]*(?:export\s+)?namespace\s+\w/gm, 'a module is a namespace'],
  ]
  return [
    ...forms.flatMap(([rule, pattern, message]) =>
      [...code.matchAll(pattern)].map(({ index }): PlacedBreach => [rule, index, message]),
    ),
    ...[
      ...comments.map((piece) => ({ ...piece, pattern: DOUBLED_WORD })),
      ...strings.map((piece) => ({ ...piece, pattern: DOUBLED_SMALL_WORD })),
    ].flatMap(({ text, start, pattern }) =>
      [...withoutDiagrams(text).matchAll(pattern)].map(({ index, 0: words }): PlacedBreach => [
        'doubled word',
        start + index,
        `M325: "${words.replaceAll(/\s+/g, ' ')}"`,
      ]),
    ),
  ]
}

/** The lines of a drawn state machine name a state again and again. */
function withoutDiagrams(text: string): string {
  return text.replaceAll(/^.*(?:──|▶|◀).*$/gm, (line) => '|'.repeat(line.length))
}

function nameBreaches(path: string): Breach[] {
  const name = posix.basename(path).replace(/\.tsx?$/, '')
  const [plain = ''] = name.split('.')
  if (VAGUE_NAME.test(plain)) return [['name', `${name}.ts says nothing about what is in it`]]
  if (!KEBAB_CASE.test(name)) return [['name', `${name}.ts is not in kebab-case`]]
  return []
}

function roomOf(path: string): string {
  return path.slice(PROGRAM.length).split('/')[0]!
}
