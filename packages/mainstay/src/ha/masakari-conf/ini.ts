import { InvalidInputError } from '../../core/errors.ts'

/** The text of an option that the file does not set, or undefined when there is no such option. */
export type Fallback = (group: string, name: string) => string | undefined

/** An option of the file that names another one which does not exist. */
export interface UnknownReference {
  readonly group: string
  readonly name: string
  /** Where the option stands, counted from one. */
  readonly line: number
  /** What it names, as it stands there. */
  readonly reference: string
}

interface Entry {
  readonly line: number
  text: string
}

/**
 * The file format of oslo.config: sections, `name = value`, values that go on in indented lines, and values that name
 * other options (`$state_path`, `$group.name`, `${group.name}`; `$$` or `\$` for the sign itself). A name without a group is
 * looked for in the group of its value, then in [DEFAULT].
 *
 * Source: ha-api.md 21; "Option Value Interpolation" of oslo.config, which refuses names that do not exist.
 */
export class ConfFile {
  readonly #values = new Map<string, Entry>()

  /** @throws InvalidInputError naming the line */
  constructor(text: string) {
    let group = 'DEFAULT'
    let current: Entry | undefined
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      if (/^\s*(?:[#;]|$)/.test(line)) {
        if (line.trim() === '') current = undefined
        continue
      }
      if (/^\s/.test(line) && current !== undefined) {
        current.text += `\n${line.trim()}`
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
      current = { line: index + 1, text: unquote(assignment[2]!.trim()) }
      this.#values.set(key(group, assignment[1]!), current)
    }
  }

  /** Every option that the file sets, as `group.name`. */
  names(): string[] {
    return [...this.#values.keys()]
  }

  /**
   * An option's value with what it names filled in; the last of several wins. What it names in vain stays as it stands.
   *
   * @returns undefined when the file does not set it
   * @throws InvalidInputError when options name each other in a circle
   */
  value(
    group: string,
    name: string,
    fallback: Fallback,
  ): { readonly text: string; readonly unknown: readonly UnknownReference[] } | undefined {
    const entry = this.#values.get(key(group, name))
    if (entry === undefined) return undefined
    const unknown: UnknownReference[] = []
    return { text: this.#filled(entry, { group, name, fallback, unknown, path: [key(group, name)] }), unknown }
  }

  #filled(entry: Entry, at: Place): string {
    return entry.text.replace(REFERENCE, (all, braced: string | undefined, bare: string | undefined) => {
      if (braced === undefined && bare === undefined) return '$'
      for (const { places, rest } of readings(braced, bare, at.group)) {
        for (const [group, name] of places) {
          const found = this.#values.get(key(group, name)) ?? fallbackEntry(at.fallback(group, name))
          if (found === undefined) continue
          const step = key(group, name)
          if (at.path.includes(step)) {
            throw new InvalidInputError(`The options ${[...at.path, step].join(', ')} name each other in a circle.`)
          }
          return this.#filled(found, { ...at, group, name, path: [...at.path, step] }) + rest
        }
      }
      at.unknown.push({ group: at.group, name: at.name, line: entry.line, reference: all })
      return all
    })
  }
}

/** The option whose text is filled in, how it was come to, and what was named in vain. */
interface Place {
  readonly group: string
  readonly name: string
  readonly fallback: Fallback
  readonly unknown: UnknownReference[]
  readonly path: readonly string[]
}

const REFERENCE = /\$\$|\\\$|\$\{([a-z_][\w.]*)\}|\$([a-z_][\w.]*)/gi

interface Reading {
  /** Where it may stand, the first first. */
  readonly places: readonly (readonly [group: string, name: string])[]
  /** What follows it. */
  readonly rest: string
}

/**
 * What a reference can mean. `$host.example` is an option of the group `host`, as for oslo.config; where there is none, which
 * it refuses, it is the option `host` and a dot.
 */
function readings(braced: string | undefined, bare: string | undefined, group: string): Reading[] {
  const reference = braced ?? bare ?? ''
  const dot = reference.indexOf('.')
  const plain = (name: string, rest: string): Reading => ({
    places: [
      [group, name],
      ['DEFAULT', name],
    ],
    rest,
  })
  if (dot === -1) return [plain(reference, '')]
  const grouped: Reading = { places: [[reference.slice(0, dot), reference.slice(dot + 1)]], rest: '' }
  return braced === undefined ? [grouped, plain(reference.slice(0, dot), reference.slice(dot))] : [grouped]
}

/** A text that stands in no file. */
function fallbackEntry(text: string | undefined): Entry | undefined {
  return text === undefined ? undefined : { line: 0, text }
}

/** Options are the same with dashes and underscores. */
function key(group: string, name: string): string {
  return `${group}.${name.replaceAll('-', '_')}`
}

function unquote(text: string): string {
  const quoted = /^(["'])(.*)\1$/s.exec(text)
  return quoted === null ? text : quoted[2]!
}
