import { InvalidInputError } from '../../core/errors.ts'
import { child, childrenIn, childrenNamed, parseXml, type XmlElement } from './xml-element.ts'

/** Our own element in a domain's `<metadata>`: see {@link describeDomain}. */
export const INSTANCE_NAMESPACE = 'https://mainstay.dev/ns/instance/1'

/** Nova's (`nova/virt/libvirt/config.py`), read so that guests which Nova made are known by their names. */
export const NOVA_NAMESPACE = 'http://openstack.org/xmlns/libvirt/nova/1.1'

/** What a domain's XML says about its guest. */
export interface DomainDescription {
  readonly uuid: string
  /** The name people know: Nova's where it gave one, libvirt's otherwise. */
  readonly name: string
  readonly memoryMib: number
  readonly vcpus: number
  readonly metadata: Readonly<Record<string, string>>
  readonly projectId: string | null
  /** The whole `<domain>`, for rules that look at its devices. */
  readonly element: XmlElement
}

/**
 * Reads a domain's XML.
 *
 * Metadata comes from our namespace:
 *
 *     <metadata>
 *       <m:instance xmlns:m="https://mainstay.dev/ns/instance/1">
 *         <m:project>4f2c…</m:project>
 *         <m:meta key="HA_Enabled">True</m:meta>
 *       </m:instance>
 *     </metadata>
 *
 * @throws InvalidInputError when it is no domain XML
 */
export function describeDomain(xml: string): DomainDescription {
  const element = parseXml(xml, 'The XML of a domain')
  const uuid = child(element, 'uuid')?.text.toLowerCase()
  const libvirtName = child(element, 'name')?.text
  if (element.name !== 'domain' || uuid === undefined || libvirtName === undefined) {
    throw new InvalidInputError('The XML of a domain has no <domain> with a <uuid> and a <name>.')
  }
  const ours = namespaced(element, INSTANCE_NAMESPACE)
  const novas = namespaced(element, NOVA_NAMESPACE)
  return {
    uuid,
    name: textOf(novas, 'name') ?? libvirtName,
    memoryMib: memoryMib(child(element, 'memory')),
    vcpus: Number(child(element, 'vcpu')?.text ?? '1'),
    metadata: metadataOf(ours),
    projectId: textOf(ours, 'project') ?? novaProject(novas),
    element,
  }
}

interface Namespaced {
  readonly element: XmlElement
  readonly namespace: string
  readonly ancestors: readonly XmlElement[]
}

function namespaced(domain: XmlElement, namespace: string): Namespaced | undefined {
  const metadata = child(domain, 'metadata')
  if (metadata === undefined) return undefined
  const found = childrenIn(namespace, metadata, [domain]).find(({ localName }) => localName === 'instance')
  return found === undefined ? undefined : { element: found.element, namespace, ancestors: [metadata, domain] }
}

function inside({ element, namespace, ancestors }: Namespaced, name: string): Namespaced[] {
  return childrenIn(namespace, element, ancestors)
    .filter(({ localName }) => localName === name)
    .map((each) => ({ element: each.element, namespace, ancestors: [element, ...ancestors] }))
}

function textOf(place: Namespaced | undefined, name: string): string | null {
  return (place === undefined ? undefined : inside(place, name)[0]?.element.text) ?? null
}

function novaProject(novas: Namespaced | undefined): string | null {
  const owner = novas === undefined ? undefined : inside(novas, 'owner')[0]
  return (owner === undefined ? undefined : inside(owner, 'project')[0]?.element.attributes.get('uuid')) ?? null
}

function metadataOf(ours: Namespaced | undefined): Record<string, string> {
  const entries = (ours === undefined ? [] : inside(ours, 'meta')).flatMap(({ element }): [string, string][] => {
    const key = element.attributes.get('key')
    return key === undefined ? [] : [[key, element.text]]
  })
  return Object.fromEntries(entries)
}

/** libvirt writes KiB; a person may have written any of these. Source: libvirt "Domain XML format", scaled integers. */
const BYTES_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ['bytes', 1],
  ['kb', 1e3],
  ['k', 2 ** 10],
  ['kib', 2 ** 10],
  ['mb', 1e6],
  ['m', 2 ** 20],
  ['mib', 2 ** 20],
  ['gb', 1e9],
  ['g', 2 ** 30],
  ['gib', 2 ** 30],
  ['tb', 1e12],
  ['t', 2 ** 40],
  ['tib', 2 ** 40],
])

function memoryMib(memory: XmlElement | undefined): number {
  const unit = memory?.attributes.get('unit')?.toLowerCase() ?? 'kib'
  return Math.ceil((Number(memory?.text ?? '0') * (BYTES_PER_UNIT.get(unit) ?? 2 ** 10)) / 2 ** 20)
}

/** All elements of a kind among the devices. */
export function devices(domain: XmlElement, name: string): XmlElement[] {
  return childrenNamed(child(domain, 'devices'), name)
}
