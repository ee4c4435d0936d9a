import { parseXml } from '../../../compute/libvirt/xml-element.ts'
import { InvalidInputError } from '../../../core/errors.ts'
import type { MachineTags } from '../provider.ts'
import { escapeXml } from './escape-xml.ts'

/** Our element in a domain's `<metadata>`: it is written with the definition, in one act. */
export const MACHINE_NAMESPACE = 'https://mainstay.dev/ns/pool/1'
export const MACHINE_PREFIX = 'mainstay'

/** Where somebody else may tell a guest's address. */
export const ADDRESS_NAMESPACE = 'https://mainstay.dev/ns/address/1'

export interface MachineElement {
  readonly tags: MachineTags
  /** Of which template it was made. */
  readonly template: string
  /** Null until it is known. */
  readonly address: string | null
}

/** The element as libvirt wants it for `setMetadata`, without its namespace; libvirt adds that. */
export function writeMachineElement({ tags, template, address }: MachineElement): string {
  const attributes = {
    installation: tags.installation,
    pool: tags.pool,
    vm: tags.vmName,
    created: String(tags.createdAt),
    template,
    address: address ?? '',
  }
  const text = Object.entries(attributes).map(([name, value]) => ` ${name}="${escapeXml(value)}"`)
  return `<machine${text.join('')}/>`
}

/** The same with its namespace, for a definition. */
export function writeNamespacedMachineElement(machine: MachineElement): string {
  const declaration = `xmlns:${MACHINE_PREFIX}="${MACHINE_NAMESPACE}"`
  return writeMachineElement(machine).replace('<machine', `<${MACHINE_PREFIX}:machine ${declaration}`)
}

/** Null for what we did not write: half a tag is nobody's. */
export function readMachineElement(xml: string): MachineElement | null {
  try {
    const { attributes } = parseXml(xml, 'Our element in the metadata of a domain')
    const [installation, pool, vmName] = ['installation', 'pool', 'vm'].map((name) => attributes.get(name))
    const createdAt = Number(attributes.get('created') ?? Number.NaN)
    if (installation === undefined || pool === undefined || vmName === undefined) return null
    if (!Number.isSafeInteger(createdAt)) return null
    const address = attributes.get('address') ?? ''
    return {
      tags: { installation, pool, vmName, createdAt },
      template: attributes.get('template') ?? '',
      address: address === '' ? null : address,
    }
  } catch (error) {
    if (error instanceof InvalidInputError) return null
    throw error
  }
}
