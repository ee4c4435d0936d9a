import { AgentConfigError } from '../errors.ts'

/** Section → option → value; of an option that is set twice, the last. */
export type OsloConfig = ReadonlyMap<string, ReadonlyMap<string, string>>

/**
 * Reads a configuration file of the OpenStack family: sections in brackets, `name = value` or `name: value`, comments
 * that begin with `#` or `;`, values continued on lines that begin with white space, values in quotes. A `$name`,
 * `${name}` or `${section.name}` stands for another option's value where there is one, `$$` for a dollar.
 *
 * @param file for the messages
 * @throws AgentConfigError with the number of the line that cannot be read
 */
export function parseOsloConfig(text: string, file: string): OsloConfig {
  const sections = new Map<string, Map<string, string>>()
  let section: Map<string, string> | undefined
  let option: string | undefined
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const wrong = (what: string): AgentConfigError => new AgentConfigError(`${file}, line ${index + 1}: ${what}`)
    const content = line.trim()
    if (content === '' || content.startsWith('#') || content.startsWith(';')) {
      if (content === '') option = undefined
      continue
    }
    if (/^\s/.test(line) && section !== undefined && option !== undefined) {
      section.set(option, `${section.get(option)}\n${content}`)
      continue
    }
    const name = /^\[(.*)\]$/.exec(content)?.[1]?.trim()
    if (name !== undefined) {
      section = sections.get(name) ?? new Map<string, string>()
      sections.set(name, section)
      option = undefined
      continue
    }
    const [, key, value] = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(content) ?? []
    if (key === undefined || value === undefined) throw wrong(`"${content}" is neither a section nor name = value.`)
    if (section === undefined) throw wrong(`"${key}" stands before the first section. Put [DEFAULT] above it.`)
    option = key.replaceAll('-', '_')
    section.set(option, value)
  }
  return substituted(sections)
}

function substituted(sections: ReadonlyMap<string, ReadonlyMap<string, string>>): OsloConfig {
  return new Map(
    [...sections].map(([name, options]) => {
      const find = (reference: string): string | undefined => {
        const [option = '', section] = reference.split('.').toReversed()
        const places = section === undefined ? [name, 'DEFAULT'] : [section]
        return places.map((place) => sections.get(place)?.get(option)).find((value) => value !== undefined)
      }
      return [name, new Map([...options].map(([option, value]) => [option, substitute(unquote(value), find)]))]
    }),
  )
}

const REFERENCE = /\$\$|\\\$|\$\{([\w.]+)\}|\$([A-Za-z_]\w*)/g

/** A reference to nothing stays as it is: a password may well contain a dollar. */
function substitute(value: string, find: (reference: string) => string | undefined): string {
  return value.replace(REFERENCE, (match: string, braced?: string, bare?: string) => {
    const reference = braced ?? bare
    return reference === undefined ? '$' : (find(reference) ?? match)
  })
}

function unquote(value: string): string {
  return /^(["']).*\1$/s.test(value) && value.length > 1 ? value.slice(1, -1) : value
}
