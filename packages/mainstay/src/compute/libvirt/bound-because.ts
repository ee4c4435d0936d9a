import { posix } from 'node:path'

import { devices } from './domain-description.ts'
import { child, type XmlElement } from './xml-element.ts'

export interface BoundOptions {
  /** Folders and devices that are the same on every host: a network file system, a shared volume group. */
  readonly sharedPaths: readonly string[]
}

/**
 * Why a guest cannot run on another host, or null when it can: a disk, device or file that only its host has.
 *
 * What is not understood binds: a guest that stays down is better than one with the wrong disk. Network disks, disks
 * without medium and media that may be missing do not bind.
 *
 * @param domain the `<domain>` element
 */
export function boundBecause(domain: XmlElement, { sharedPaths }: BoundOptions): string | null {
  const local = (path: string): boolean => !sharedPaths.some((shared) => isUnder(shared, path))
  const reasons = [
    ...devices(domain, 'disk').map((disk) => diskBinds(disk, local)),
    ...devices(domain, 'hostdev').map(hostDeviceBinds),
    ...devices(domain, 'interface').map(interfaceBinds),
    ...devices(domain, 'filesystem').map((filesystem) => filesystemBinds(filesystem, local)),
    ...['serial', 'parallel', 'console'].flatMap((kind) => devices(domain, kind).map(characterDeviceBinds)),
    ...devices(domain, 'tpm').map(tpmBinds),
    bootFileBinds(domain, local),
  ]
  return reasons.find((reason) => reason !== null) ?? null
}

function isUnder(shared: string, path: string): boolean {
  const [folder, file] = [posix.resolve('/', shared), posix.resolve('/', path)]
  return file === folder || file.startsWith(folder === '/' ? '/' : `${folder}/`)
}

type IsLocal = (path: string) => boolean

function diskBinds(disk: XmlElement, local: IsLocal): string | null {
  return layerBinds(disk, disk, local)
}

/** One layer of a disk's chain and those below it. */
function layerBinds(layer: XmlElement, disk: XmlElement, local: IsLocal): string | null {
  const source = child(layer, 'source')
  const below = child(layer, 'backingStore')
  const here = source === undefined ? null : sourceBinds(layer.attributes.get('type') ?? 'file', source, disk, local)
  return here ?? (below === undefined ? null : layerBinds(below, disk, local))
}

function sourceBinds(type: string, source: XmlElement, disk: XmlElement, local: IsLocal): string | null {
  const name = child(disk, 'target')?.attributes.get('dev') ?? 'unknown'
  if (type === 'network') return null
  if (source.attributes.get('startupPolicy') === 'optional') return null
  const path = { file: source.attributes.get('file'), block: source.attributes.get('dev') }[type]
  if (path === undefined) return `Its disk ${name} is of type ${type}, which only its host has.`
  return local(path) ? `Its disk ${name} (${path}) is on its host and not under a shared path.` : null
}

function hostDeviceBinds(device: XmlElement): string | null {
  const source = child(device, 'source')
  if (source?.attributes.get('protocol') === 'iscsi') return null
  return `It uses a ${device.attributes.get('type') ?? 'physical'} device of its host.`
}

function interfaceBinds(device: XmlElement): string | null {
  const type = device.attributes.get('type') ?? ''
  return ['hostdev', 'vdpa'].includes(type) ? `It uses a network device of its host (${type}).` : null
}

function filesystemBinds(filesystem: XmlElement, local: IsLocal): string | null {
  const folder = child(filesystem, 'source')?.attributes.get('dir')
  if (folder === undefined) return 'It uses a file system of its host.'
  return local(folder) ? `It uses the folder ${folder} of its host, which is not under a shared path.` : null
}

function characterDeviceBinds(device: XmlElement): string | null {
  const path = child(device, 'source')?.attributes.get('path') ?? ''
  return device.attributes.get('type') === 'dev' ? `It uses the device ${path} of its host.` : null
}

function tpmBinds(tpm: XmlElement): string | null {
  const backend = child(tpm, 'backend')?.attributes.get('type')
  return backend === 'external' ? null : 'The state of its TPM is on its host.'
}

/** A firmware that comes with a template is made again; the loader itself is a file of the operating system. */
function bootFileBinds(domain: XmlElement, local: IsLocal): string | null {
  const os = child(domain, 'os')
  const nvram = child(os, 'nvram')
  const files = ['kernel', 'initrd'].flatMap((name) => child(os, name)?.text ?? [])
  if (nvram !== undefined && !nvram.attributes.has('template') && nvram.text !== '') files.push(nvram.text)
  const path = files.find((file) => local(file))
  return path === undefined ? null : `It boots from ${path}, which is on its host and not under a shared path.`
}
