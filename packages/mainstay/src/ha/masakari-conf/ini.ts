import { InvalidInputError } from '../../core/errors.ts'

/**
 * The file format of oslo.config: sections, `name = value`, values that go on in indented lines, and values that name
 * other options (`$state_path`, `${group.name}`; `$$` or `\$` for the sign itself).
 *
 * Source: ha-api.md 21.
 */
export class ConfFile {
  readonly #values = new Map<string, string[]>()

  /** @throws InvalidInputError naming the line */
  constructor(text: string) {
    let group = 'DEFAULT'
    let current: string[] | undefined
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      if (/^\s*(?:[#;]|$)/.test(line)) {
        if (line.trim() === '') current = undefined
        continue
      }
      if (/^\s/.test(line) && current !== undefined) {
        current.push(`${current.pop() ?? ''}\n${line.trim()}`)
        continue
      }
      const section = /^\[([^\]]+)\]\s*$/.exec(line.trim())
      if (section !== null) {
        group = section[1]!.trim()
        current = undefined
        continue
      }
      const assignment = /^([^=:\s][^=:]*?)\s*[=:]\s*(.*)$/.exec(line.trim())
      if (assignment === null) {
        throw new InvalidInputError(
          `Line ${index + 1} is neither a section, an option nor a comment: "${line.trim()}". Correct it or comment it out.`,
        )
      }
      current = this.#entry(group, assignment[1]!)
      current.push(unquote(assignment[2]!.trim()))
    }
  }

  /** Every option that the file sets, as `group.name`. */
  names(): string[] {
    return [...this.#values.keys()]
  }

  /**
   * An option's value with what it names filled in; the last of several wins.
   *
   * @param fallback gives the text of options that the file does not set, for those that name them
   * @throws InvalidInputError when options name each other in a circle
   */
  value(
    group: string,
    name: string,
    fallback: (group: string, name: string) => string | undefined,
  ): string | undefined {
    const text = this.#values.get(key(group, name))?.at(-1)
    return text === undefined ? undefined : this.#filled(text, group, fallback, [key(group, name)])
  }

  #filled(
    text: string,
    group: string,
    fallback: (group: string, name: string) => string | undefined,
    path: readonly string[],
  ): string {
    return text.replace(REFERENCE, (all, braced: string | undefined, bare: string | undefined) => {
      const reference = braced ?? bare
      if (reference === undefined) return '$'
      const dot = reference.indexOf('.')
      const places: [string, string][] =
        dot === -1
          ? [
              [group, reference],
              ['DEFAULT', reference],
            ]
          : [[reference.slice(0, dot), reference.slice(dot + 1)]]
      for (const [inGroup, name] of places) {
        const found = this.#values.get(key(inGroup, name))?.at(-1) ?? fallback(inGroup, name.replaceAll('-', '_'))
        if (found === undefined) continue
        const step = key(inGroup, name)
        if (path.includes(step)) {
          throw new InvalidInputError(`The options ${[...path, step].join(', ')} name each other in a circle.`)
        }
        return this.#filled(found, inGroup, fallback, [...path, step])
      }
      return all
    })
  }

  #entry(group: string, name: string): string[] {
    const id = key(group, name)
    let values = this.#values.get(id)
    if (values === undefined) this.#values.set(id, (values = []))
    return values
  }
}

const REFERENCE = /\$\$|\\\$|\$\{([\w.-]+)\}|\$([A-Za-z_]\w*)/g

/** Options are the same with dashes and underscores. */
function key(group: string, name: string): string {
  return `${group}.${name.replaceAll('-', '_')}`
}

function unquote(text: string): string {
  const quoted = /^(["'])(.*)\1$/s.exec(text)
  return quoted === null ? text : quoted[2]!
}
