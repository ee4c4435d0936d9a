import { XMLParser, XMLValidator } from 'fast-xml-parser'

import { InvalidInputError, errorMessage } from '../../core/errors.ts'

/** One element of an XML document, with what we use of it. */
export interface XmlElement {
  /** As written, with its prefix. */
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** The text directly inside, without surrounding space. */
  readonly text: string
}

const MAX_LENGTH = 64 * 1024 * 1024

const TEXT = '#text'
const ATTRIBUTES = ':@'

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  // Decoded here, where no document can define one of its own.
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
})

/**
 * Reads an XML document: no document type, no entities but the five of XML and character references, 64 MiB at most.
 *
 * Source: monitors.md DL-6.
 *
 * @param what names the document in the error
 * @throws InvalidInputError
 */
export function parseXml(text: string, what: string): XmlElement {
  if (text.length > MAX_LENGTH) throw new InvalidInputError(`${what} is larger than ${MAX_LENGTH} bytes.`)
  if (text.includes('<!DOCTYPE')) throw new InvalidInputError(`${what} has a document type, which is not read.`)
  const verdict = XMLValidator.validate(text)
  if (verdict !== true) throw new InvalidInputError(`${what} is not well-formed XML: ${verdict.err.msg}`)
  const [root, ...more] = elementsOf(parse(text, what))
  if (root === undefined || more.length > 0) throw new InvalidInputError(`${what} does not have one root element.`)
  return root
}

/** The first child of that name. */
export function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((each) => each.name === name)
}

export function childrenNamed(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((each) => each.name === name) ?? []
}

/**
 * The child elements that belong to a namespace, by their local names. Looks for the declaration of a prefix on the
 * element itself and on the given ancestors, nearest first.
 */
export function childrenIn(
  namespace: string,
  element: XmlElement,
  ancestors: readonly XmlElement[] = [],
): { readonly localName: string; readonly element: XmlElement }[] {
  return element.children.flatMap((each) => {
    const [prefix, localName] = splitName(each.name)
    const declaration = prefix === '' ? 'xmlns' : `xmlns:${prefix}`
    const declaring = [each, element, ...ancestors].find((place) => place.attributes.has(declaration))
    return declaring?.attributes.get(declaration) === namespace ? [{ localName, element: each }] : []
  })
}

function splitName(name: string): [prefix: string, localName: string] {
  const colon = name.indexOf(':')
  return colon === -1 ? ['', name] : [name.slice(0, colon), name.slice(colon + 1)]
}

function parse(text: string, what: string): unknown {
  try {
    return parser.parse(text)
  } catch (error) {
    throw new InvalidInputError(`${what} cannot be read as XML: ${errorMessage(error)}`, { cause: error })
  }
}

function elementsOf(nodes: unknown): XmlElement[] {
  return nodesOf(nodes).flatMap((node) => {
    const name = Object.keys(node).find((key) => key !== TEXT && key !== ATTRIBUTES)
    if (name === undefined) return []
    const attributes = Object.entries(node[ATTRIBUTES] ?? {}).map(([key, value]): [string, string] => [
      key,
      decode(String(value)),
    ])
    const inside = nodesOf(node[name])
    const text = inside.map((each) => (typeof each[TEXT] === 'string' ? each[TEXT] : '')).join('')
    return [{ name, attributes: new Map(attributes), children: elementsOf(inside), text: decode(text).trim() }]
  })
}

function nodesOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? (value as Record<string, unknown>[]) : []
}

const NAMED: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
])
const LAST_CODE_POINT = 0x10ffff

function decode(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return NAMED.get(name) ?? whole
      const codePoint = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
      return codePoint <= LAST_CODE_POINT ? String.fromCodePoint(codePoint) : whole
    },
  )
}
