import { XMLBuilder, XMLParser } from 'fast-xml-parser'

import { parseXml } from '../../../compute/libvirt/xml-element.ts'
import { InvalidInputError } from '../../../core/errors.ts'
import { escapeXml } from './escape-xml.ts'
import { MACHINE_NAMESPACE, writeNamespacedMachineElement, type MachineElement } from './machine-element.ts'

export interface DomainPlan {
  readonly uuid: string
  readonly machine: MachineElement
  /** The guest's own volume; null for one without a disk of its own. */
  readonly diskPath: string | null
  /** For `${…}` in the template. */
  readonly variables: Readonly<Record<string, string>>
}

/** As the parser gives it with `preserveOrder`: one member for the name and the children, one for the attributes. */
type Node = Record<string, unknown>

const ATTRIBUTES = ':@'
const TEXT = '#text'

const SHARED = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  // Texts pass through as they are written.
  processEntities: false,
} as const

const parser = new XMLParser({ ...SHARED, parseTagValue: false, parseAttributeValue: false, ignoreDeclaration: true })
const builder = new XMLBuilder({ ...SHARED, suppressEmptyNode: true })

/**
 * The definition of one guest from its template: our tags are in it from the start, and nothing in it is shared with another
 * guest that must not be.
 *
 * @throws InvalidInputError when the template is not a domain, or its guests would share a disk that they write to
 */
export function domainXml(template: string, plan: DomainPlan): string {
  const text = template.replaceAll(/\$\{(MAINSTAY_\w+)\}/g, (whole, name: string) => {
    const value = plan.variables[name]
    return value === undefined ? whole : escapeXml(value)
  })
  if (parseXml(text, 'The template').name !== 'domain') throw new InvalidInputError('The template is not a <domain>.')
  const document = parser.parse(text) as Node[]
  const domain = document.find((node) => 'domain' in node)!
  delete attributesOf(domain)['id']
  setText(domain, 'name', plan.machine.tags.vmName)
  setText(domain, 'uuid', plan.uuid)
  tag(domain, plan.machine)
  const devices = childrenOf(domain).find((node) => 'devices' in node)
  for (const device of devices === undefined ? [] : childrenOf(devices)) {
    // libvirt gives each a new one; two of the same on one network would take each other's packets.
    if ('interface' in device) removeChildren(device, (child) => 'mac' in child || 'alias' in child)
  }
  setDisks(devices, plan.diskPath)
  quoteAttributes(document)
  return builder.build([domain])
}

function tag(domain: Node, machine: MachineElement): void {
  const children = childrenOf(domain)
  let metadata = children.find((node) => 'metadata' in node)
  if (metadata === undefined) {
    metadata = { metadata: [] }
    children.push(metadata)
  }
  // A template may be the dump of a guest that we made.
  removeChildren(metadata, (node) => Object.values(attributesOf(node)).includes(MACHINE_NAMESPACE))
  const [element] = parser.parse(writeNamespacedMachineElement(machine)) as Node[]
  childrenOf(metadata).push(element!)
}

function setDisks(devices: Node | undefined, diskPath: string | null): void {
  const disks = (devices === undefined ? [] : childrenOf(devices)).filter((node) => 'disk' in node)
  const written = disks.filter((disk) => {
    const device = attributesOf(disk)['device'] ?? 'disk'
    return device === 'disk' && !childrenOf(disk).some((child) => 'readonly' in child)
  })
  const [own, ...shared] = diskPath === null ? [undefined, ...written] : written
  if (shared.length > 0) {
    throw new InvalidInputError(
      'The template has a disk that its guests would share and write to. Name the image underneath as "disk", make the ' +
        'others <readonly/>, or leave them out.',
    )
  }
  if (diskPath === null) return
  if (own === undefined)
    throw new InvalidInputError('The template has no disk that the volume could take the place of.')
  attributesOf(own)['type'] = 'file'
  removeChildren(own, (child) => ['driver', 'source', 'backingStore', 'alias'].some((name) => name in child))
  const driver = { driver: [], [ATTRIBUTES]: { name: 'qemu', type: 'qcow2' } }
  childrenOf(own).unshift(driver, { source: [], [ATTRIBUTES]: { file: escapeXml(diskPath) } })
}

function setText(domain: Node, name: string, text: string): void {
  removeChildren(domain, (child) => name in child)
  childrenOf(domain).unshift({ [name]: [{ [TEXT]: escapeXml(text) }] })
}

function childrenOf(node: Node): Node[] {
  const name = Object.keys(node).find((key) => key !== ATTRIBUTES)!
  const children = node[name]
  return Array.isArray(children) ? (children as Node[]) : []
}

function removeChildren(node: Node, wanted: (child: Node) => boolean): void {
  const children = childrenOf(node)
  children.splice(0, children.length, ...children.filter((child) => !wanted(child)))
}

/** The node's own, so that changes count; it gets some if it has none. */
function attributesOf(node: Node): Record<string, string> {
  return (node[ATTRIBUTES] ??= {}) as Record<string, string>
}

/** The builder writes double quotes around what may have stood between single ones. */
function quoteAttributes(nodes: readonly Node[]): void {
  for (const node of nodes) {
    const attributes = (node[ATTRIBUTES] ?? {}) as Record<string, string>
    for (const [name, value] of Object.entries(attributes)) attributes[name] = value.replaceAll('"', '&quot;')
    quoteAttributes(childrenOf(node))
  }
}
