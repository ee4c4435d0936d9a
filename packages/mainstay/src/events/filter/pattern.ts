/** A text that is read letter by letter. Every `string` is one; tests count what is read. */
export type Letters = Pick<string, 'length' | 'charCodeAt'>

const STAR = '*'.charCodeAt(0)
const QUESTION_MARK = '?'.charCodeAt(0)

/** Whether a filter's text is more than itself. Source: event-stream.md R15. */
export function isPattern(text: string): boolean {
  return text.startsWith('!') || hasWildcard(text)
}

function hasWildcard(text: string): boolean {
  return text.includes('*') || text.includes('?')
}

/** How many wildcards a pattern has: each `?`, and each run of `*`. */
export function countWildcards(text: string): number {
  return text.match(/\*+|\?/g)?.length ?? 0
}

/**
 * Whether a sequence of items, some of which stand for any number of things, covers `length` things.
 *
 * Only the last star ever gives way: what an earlier one could still take, the last one can take as well. So each
 * item meets each thing at most once, and the work grows with the pattern's length, never beyond its product with the
 * text's.
 */
function covers(
  { length: items, isStar }: { length: number; isStar: (item: number) => boolean },
  length: number,
  fits: (item: number, thing: number) => boolean,
): boolean {
  let item = 0
  let thing = 0
  let afterStar = -1
  let takenUpTo = 0
  while (thing < length) {
    if (item < items && isStar(item)) {
      item += 1
      afterStar = item
      takenUpTo = thing
    } else if (item < items && fits(item, thing)) {
      item += 1
      thing += 1
    } else if (afterStar !== -1) {
      takenUpTo += 1
      item = afterStar
      thing = takenUpTo
    } else {
      return false
    }
  }
  while (item < items && isStar(item)) item += 1
  return item === items
}

/** `*` stands for any letters, `?` for one; everything else for itself. */
export function globMatches(glob: string, text: Letters): boolean {
  return covers(
    { length: glob.length, isStar: (item) => glob.charCodeAt(item) === STAR },
    text.length,
    (item, at) => glob.charCodeAt(item) === QUESTION_MARK || glob.charCodeAt(item) === text.charCodeAt(at),
  )
}

/** Whether a text is what the pattern says. Event types come in segments, cut at the dots. */
export type SegmentMatcher = (segments: readonly Letters[]) => boolean

/**
 * A pattern over the segments of an event type: `**` stands for any number of segments, a last `*` for one or more,
 * another `*` for exactly one; inside a segment, `*` stands for any letters and `?` for one.
 *
 * Source: event-stream.md R15.
 */
export function compileEventPattern(pattern: string): SegmentMatcher {
  const items = pattern.split('.')
  if (items.at(-1) === '*') items.push('**')
  return (segments) =>
    covers({ length: items.length, isStar: (item) => items[item] === '**' }, segments.length, (item, at) =>
      globMatches(items[item]!, segments[at]!),
    )
}
