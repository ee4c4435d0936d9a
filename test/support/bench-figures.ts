/** A figure that a page shows, with the name under which a benchmark's page has it. */
export interface Figure {
  readonly page: string
  /** `journal.workflows_per_s` or the like; up to the dot it is the name of the benchmark. */
  readonly name: string
  readonly value: string
}

const FIGURE = /<!-- bench:([a-z-]+\.[\w.-]+) -->\s*~?([\d.,]*\d)/g
const MARK = /<!-- bench:/g

/** @throws Error when a mark is not followed by a number, so that none is passed over */
export function figuresOf(page: string, text: string): Figure[] {
  const prose = text.replaceAll(/^ {4}.*$/gm, '')
  const figures = [...prose.matchAll(FIGURE)].map(([, name, value]) => ({
    page,
    name: name!,
    value: value!.replaceAll(',', ''),
  }))
  const marks = [...prose.matchAll(MARK)].length
  if (marks !== figures.length) throw new Error(`${page}: ${marks - figures.length} bench marks have no name or number`)
  return figures
}

/** What is wrong with the quoted figures, given those of the benchmarks' own pages. */
export function misquoted(quoted: readonly Figure[], measured: readonly Figure[]): string[] {
  const values = new Map(measured.map(({ name, value }) => [name, value]))
  return quoted.flatMap(({ page, name, value }) => {
    const known = values.get(name)
    if (known === undefined) return [`${page} quotes ${name}, which bench/${name.split('.')[0]}.md does not have`]
    return known === value ? [] : [`${page} quotes ${name} as ${value}, but bench has ${known}`]
  })
}
