/** A TypeScript source taken apart just far enough to ask what it imports, calls and says. */
export interface SourceText {
  /** The source with comments, and the contents of strings and regular expressions, blanked out; same length. */
  readonly code: string
  readonly comments: readonly Piece[]
  readonly strings: readonly Piece[]
}

export interface Piece {
  readonly text: string
  /** Where the text begins, without its quote or comment mark. */
  readonly start: number
}

export interface Import {
  readonly specifier: string
  readonly names: string
  readonly typeOnly: boolean
  readonly start: number
}

/** A slash after one of these begins a regular expression, elsewhere it divides. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|delete|await|yield))\s*$/

/**
 * Splits a source into code, comments and strings. TypeScript 7 has no compiler API yet, and a regular expression alone
 * is fooled by an import in a comment.
 */
export function readSource(source: string): SourceText {
  const comments: Piece[] = []
  const strings: Piece[] = []
  // By code unit, so that places in it are places in the source.
  const code = Array.from({ length: source.length }, (_, index) => source.charAt(index))
  /** For each open `${`, how many braces are open inside it. */
  const templates: number[] = []
  let at = 0

  const blank = (from: number, to: number): void => {
    for (let index = from; index < to; index += 1) if (code[index] !== '\n') code[index] = ' '
  }
  const take = (pieces: Piece[], from: number, to: number): void => {
    pieces.push({ text: source.slice(from, to), start: from })
    blank(from, to)
  }
  const endOf = (mark: string, from: number): number => {
    const end = source.indexOf(mark, from)
    return end === -1 ? source.length : end
  }
  /** The end of a string or regular expression, past escapes. */
  const closing = (from: number, isEnd: (character: string) => boolean): number => {
    let index = from
    while (index < source.length && !isEnd(source[index]!)) index += source[index] === '\\' ? 2 : 1
    return index
  }
  const takeTemplate = (from: number): number => {
    let index = from
    while (index < source.length && source[index] !== '`' && !source.startsWith('${', index)) {
      index += source[index] === '\\' ? 2 : 1
    }
    take(strings, from, index)
    if (source[index] === '`') return index + 1
    templates.push(0)
    return index + 2
  }

  while (at < source.length) {
    const character = source[at]!
    if (source.startsWith('//', at)) {
      const end = endOf('\n', at)
      take(comments, at + 2, end)
      blank(at, at + 2)
      at = end
    } else if (source.startsWith('/*', at)) {
      const end = endOf('*/', at)
      take(comments, at + 2, end)
      blank(at, end + 2)
      at = end + 2
    } else if (character === "'" || character === '"') {
      const end = closing(at + 1, (each) => each === character || each === '\n')
      take(strings, at + 1, end)
      at = end + 1
    } else if (character === '`') {
      at = takeTemplate(at + 1)
    } else if (character === '/' && BEFORE_REGEX.test(code.slice(Math.max(0, at - 40), at).join(''))) {
      let inClass = false
      const end = closing(at + 1, (each) => {
        if (each === '[') inClass = true
        if (each === ']') inClass = false
        return (each === '/' && !inClass) || each === '\n'
      })
      blank(at + 1, end)
      at = end + 1
    } else if (character === '}' && templates.at(-1) === 0) {
      templates.pop()
      at = takeTemplate(at + 1)
    } else {
      if (templates.length > 0 && character === '{') templates[templates.length - 1]! += 1
      if (templates.length > 0 && character === '}') templates[templates.length - 1]! -= 1
      at += 1
    }
  }
  return { code: code.join(''), comments, strings }
}

const STATIC_IMPORT = /\b(?:import|export)\s+(type\s+)?([\w$*{},\s]*?)\s*\bfrom\s*(?=['"])/g
const BARE_IMPORT = /\bimport\s*\(?\s*(?=['"])/g

/** Everything that a source imports or re-exports, statically or by `import()`. */
export function importsOf({ code, strings }: SourceText): Import[] {
  const at = new Map(strings.map((piece) => [piece.start, piece.text]))
  const found = [...code.matchAll(STATIC_IMPORT)].map((match) => {
    const names = match[2]!
    const listed = names
      .replaceAll(/[{}]/g, '')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
    const typeOnly = match[1] !== undefined || (names.includes('{') && listed.every((name) => name.startsWith('type ')))
    return { start: match.index, end: match.index + match[0].length, names, typeOnly }
  })
  const bare = [...code.matchAll(BARE_IMPORT)].map((match) => ({
    start: match.index,
    end: match.index + match[0].length,
    names: '',
    typeOnly: false,
  }))
  return [...found, ...bare].flatMap(({ start, end, names, typeOnly }) => {
    const specifier = at.get(end + 1)
    return specifier === undefined ? [] : [{ specifier, names, typeOnly, start }]
  })
}

export function lineOf(source: string, index: number): number {
  return source.slice(0, index).split('\n').length
}
