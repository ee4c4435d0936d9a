/**
 * What only the ground floor asks the machine for: the time, timers, chance, the JSON codec, modules by their names. All
 * other floors are given a `Clock`, `Ids`, `Random`, a deadline or a parsed value.
 *
 * A name is looked for wherever it stands free, so that giving it another name first does not hide it; what may be done
 * with those that are also harmless is listed.
 */
interface GroundName {
  readonly name: string
  /** What it may be followed by, after blanks; nothing unless given. */
  readonly harmless?: RegExp
  /** What it may be preceded by. */
  readonly after?: RegExp
}

const FREE_NAMES: readonly GroundName[] = [
  { name: 'setTimeout' },
  { name: 'setInterval' },
  { name: 'setImmediate' },
  { name: 'performance' },
  { name: 'JSON' },
  { name: 'Date', harmless: /^\.\s*(?:UTC|parse)\b/, after: /\binstanceof\s+$/ },
  { name: 'Math', harmless: /^\.\s*(?!random\b)\w/ },
  { name: 'Temporal', harmless: /^\.\s*(?!Now\b)\w/ },
  { name: 'globalThis', harmless: /^\??\.\s*\w/ },
  { name: 'process', harmless: /^(?!\[)/ },
]

/** A date from a given value reads no clock. */
const NEW_DATE_OF = /\bnew\s+(?:globalThis\s*\.\s*)?Date\b(?=\s*\(\s*[^\s)])/g

/** Names that mean the same wherever they stand: as a member, in an import, taken out of an object. */
const TELLING_NAMES =
  /\b(?:randomBytes|randomUUID|randomUUIDv7|randomInt|randomFill|randomFillSync|getRandomValues|hrtime|getBuiltinModule|createRequire)\b/g

/** A deadline that no clock of ours moves. */
const SIGNAL_DEADLINE = /\bAbortSignal\s*(?:\??\.\s*timeout\b|\[)|(?<!\btype\s+[\w$]+\s*)=\s*AbortSignal\b(?!\s*[.|&])/g

/**
 * Where a source asks for what is the ground floor's alone.
 *
 * @param code a source whose comments and strings are blanked out
 */
export function groundFloorUses(code: string): { start: number; what: string }[] {
  const withoutDates = code.replaceAll(NEW_DATE_OF, (text) => ' '.repeat(text.length))
  const free = FREE_NAMES.flatMap(({ name, harmless, after }) =>
    [...withoutDates.matchAll(freely(name))]
      .filter(({ index, 0: text }) => {
        const rest = withoutDates.slice(index + text.length).trimStart()
        return harmless?.test(rest) !== true && after?.test(withoutDates.slice(Math.max(0, index - 40), index)) !== true
      })
      .map(({ index }) => ({ start: index, what: name })),
  )
  const telling = [...code.matchAll(TELLING_NAMES)].map(({ index, 0: what }) => ({ start: index, what }))
  const signals = [...code.matchAll(SIGNAL_DEADLINE)].map(({ index }) => ({
    start: index,
    what: 'AbortSignal.timeout',
  }))
  return [...free, ...telling, ...signals]
}

/** The name as itself or as a member of the global object, but not as a member of something else or as a key. */
function freely(name: string): RegExp {
  const owner = name === 'globalThis' ? '' : String.raw`(?:(?:globalThis|global|self|window)\s*\??\.\s*)?`
  return new RegExp(String.raw`(?<![.\w$#])${owner}\b${name}\b(?!\s*\??:)`, 'g')
}
