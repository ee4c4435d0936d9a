export interface Frame {
  readonly name: string
  /** Relative to the project where it lies inside. */
  readonly file: string
  readonly line: number
}

/** Translates a position of the code that ran to the one that was written. */
export type MapPosition = (file: string, line: number, column: number) => { line: number } | undefined

/** The user's frames of a stack: runners, libraries and mockguard itself are left out. */
export function framesOf(stack: string | undefined, root: string, mapPosition?: MapPosition): Frame[] {
  const frames: Frame[] = []
  for (const text of (stack ?? '').split('\n').slice(1)) {
    const found = /^\s*at (?:(?:async )?(.*?) \()?(?:file:\/\/)?(\/[^()]*?):(\d+):(\d+)\)?$/.exec(text)
    if (!found) continue
    const [, name = '', location = '', line = '0', column = '0'] = found
    const file = location.replace(/[?#].*$/, '')
    if (isLibrary(file)) continue
    const mapped = mapPosition?.(file, Number(line), Number(column))
    frames.push({ name: tidyName(name), file: relative(file, root), line: mapped?.line ?? Number(line) })
  }
  return frames
}

const own = new URL('..', import.meta.url).pathname

function isLibrary(file: string): boolean {
  return (
    file.includes('/node_modules/') ||
    (file.startsWith(own) && !file.endsWith('.test.ts')) ||
    file.includes('/mockguard/jest/')
  )
}

function relative(file: string, root: string): string {
  const folder = root.endsWith('/') ? root : `${root}/`
  return file.startsWith(folder) ? file.slice(folder.length) : file
}

/** Runners run test bodies through nameless or generated functions: those names say nothing to the reader. */
function tidyName(name: string): string {
  const short = name.replace(/^(new |async )/, '').replace(/^(Object|Module|Proxy|Function|global|globalThis)\./, '')
  return /^(<anonymous>|Object|_callback|TestContext\.<anonymous>|Suite(Context)?\.<anonymous>|__vi_.*|eval|spyOn|fn|useFakeTimers|setSystemTime|doMock|stubGlobal|stubEnv|replaceProperty|method|getter|setter|stub|spy|fake|replace)?$/.test(
    short,
  )
    ? ''
    : short
}
