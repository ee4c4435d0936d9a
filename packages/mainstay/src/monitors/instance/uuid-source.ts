import { XMLParser } from 'fast-xml-parser'

import { AgentConfigError } from '../errors.ts'

/** Where a guest's identity stands: it is the domain's UUID, or a text in the domain's metadata. */
export type UuidSource =
  | { readonly kind: 'domain' }
  | { readonly kind: 'metadata'; readonly namespace: string; readonly tag: string }

const METADATA = /^metadata:(.+)#([^#]+)$/

/**
 * Reads `uuid_source = domain | metadata:<namespace>#<tag>`.
 *
 * Source: monitors.md IM-10.
 *
 * @throws AgentConfigError
 */
export function parseUuidSource(text: string): UuidSource {
  if (text === 'domain') return { kind: 'domain' }
  const [, namespace, tag] = METADATA.exec(text) ?? []
  if (namespace === undefined || tag === undefined) {
    throw new AgentConfigError(`uuid_source is "${text}"; it must be "domain" or "metadata:<namespace>#<tag>".`)
  }
  return { kind: 'metadata', namespace, tag }
}

/**
 * The text of the first element of that name in a piece of metadata, in lower case; undefined when there is none.
 * Entities are not expanded (DL-6).
 */
export function uuidInMetadata(xml: string, tag: string): string | undefined {
  const parser = new XMLParser({
    ignoreAttributes: true,
    removeNSPrefix: true,
    parseTagValue: false,
    processEntities: false,
  })
  const text = firstText(parser.parse(xml) as unknown, tag)
    ?.trim()
    .toLowerCase()
  return text === '' ? undefined : text
}

function firstText(node: unknown, tag: string): string | undefined {
  if (typeof node !== 'object' || node === null) return undefined
  for (const [name, value] of Object.entries(node) as [string, unknown][]) {
    const children = Array.isArray(value) ? (value as unknown[]) : [value]
    for (const child of children) {
      if (name === tag && typeof child === 'string') return child
      const found = firstText(child, tag)
      if (found !== undefined) return found
    }
  }
  return undefined
}
