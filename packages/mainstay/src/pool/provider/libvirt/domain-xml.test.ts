import { describe, expect, test } from 'vitest'

import { child, childrenNamed, parseXml, type XmlElement } from '../../../compute/libvirt/xml-element.ts'
import { domainXml, type DomainPlan } from './domain-xml.ts'
import { readMachineElement, type MachineElement } from './machine-element.ts'

const MACHINE: MachineElement = {
  tags: { installation: 'ours', pool: `b"u'i<l>d & ü`, vmName: 'vm-1', createdAt: 42 },
  template: 'default',
  address: '192.0.2.7',
}

const PLAN: DomainPlan = {
  uuid: '11111111-2222-4333-8444-555555555555',
  machine: MACHINE,
  diskPath: null,
  variables: { MAINSTAY_VM_NAME: 'vm-1', MAINSTAY_VM_IP: '192.0.2.7' },
}

/** As virsh prints a running guest. */
const DUMP = `<domain type='qemu' id='7' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>template</name>
  <uuid>99999999-2222-4333-8444-555555555555</uuid>
  <title>a &lt;title&gt; &amp; more</title>
  <metadata><app:note xmlns:app="urn:app" text='say "hi"'/></metadata>
  <memory unit='KiB'>32768</memory>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source dev='/dev/vg/template' index='1'/>
      <backingStore/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><source file='/iso/seed.iso'/><target dev='sda'/><readonly/></disk>
    <interface type='network'>
      <mac address='52:54:00:aa:bb:cc'/><source network='default'/><alias name='net0'/>
    </interface>
    <serial type='unix'><source mode='bind' path='/run/\${MAINSTAY_VM_NAME}-\${MAINSTAY_OTHER}.sock'/></serial>
  </devices>
  <qemu:commandline><qemu:arg value='-device'/></qemu:commandline>
</domain>`

const build = (xml: string, change: Partial<DomainPlan> = {}): XmlElement =>
  parseXml(domainXml(xml, { ...PLAN, ...change }), 'the definition')

const diskless = DUMP.replace(/<disk type='block'[\s\S]*?<\/disk>/, '')

describe('a definition from a template', () => {
  test('has the guest’s own name and identifier, once each, and is not the running one', () => {
    const domain = build(diskless)
    expect(childrenNamed(domain, 'name').map(({ text }) => text)).toEqual(['vm-1'])
    expect(childrenNamed(domain, 'uuid').map(({ text }) => text)).toEqual([PLAN.uuid])
    expect(domain.attributes.has('id')).toBe(false)
  })

  test('carries our tags beside what others keep there, also when the template was made by us', () => {
    const once = domainXml(diskless, { ...PLAN, machine: { ...MACHINE, template: 'older' } })
    for (const xml of [diskless, once]) {
      const elements = child(build(xml), 'metadata')?.children ?? []
      expect(elements.map(({ name }) => name)).toEqual(['app:note', 'mainstay:machine'])
      expect(elements[0]?.attributes.get('text')).toBe('say "hi"')
      expect(elements[1]?.attributes.get('vm')).toBe('vm-1')
      expect(elements[1]?.attributes.get('template')).toBe('default')
    }
  })

  test('gets metadata where the template has none', () => {
    const domain = build('<domain type="qemu"><name>t</name></domain>')
    expect(child(domain, 'metadata')?.children.map(({ name }) => name)).toEqual(['mainstay:machine'])
  })

  test('keeps everything else as it is', () => {
    const domain = build(diskless)
    expect(child(domain, 'title')?.text).toBe('a <title> & more')
    expect(child(domain, 'memory')?.attributes.get('unit')).toBe('KiB')
    expect(domain.children.map(({ name }) => name)).toContain('qemu:commandline')
    expect(domain.attributes.get('xmlns:qemu')).toBe('http://libvirt.org/schemas/domain/qemu/1.0')
  })

  test('has its own network cards: libvirt gives them addresses', () => {
    const card = child(child(build(diskless), 'devices'), 'interface')
    expect(card?.children.map(({ name }) => name)).toEqual(['source'])
  })

  test('has its own disk in the place of the template’s', () => {
    const [own, seed] = childrenNamed(child(build(DUMP, { diskPath: '/pool/a&b.qcow2' }), 'devices'), 'disk')
    expect(own?.attributes.get('type')).toBe('file')
    expect(child(own, 'source')?.attributes.get('file')).toBe('/pool/a&b.qcow2')
    expect(child(own, 'driver')?.attributes.get('type')).toBe('qcow2')
    expect(child(own, 'target')?.attributes.get('dev')).toBe('vda')
    expect(child(own, 'backingStore')).toBeUndefined()
    expect(child(seed, 'source')?.attributes.get('file')).toBe('/iso/seed.iso')
  })

  test('has the variables filled in, escaped; others stay', () => {
    const serial = child(child(build(diskless), 'devices'), 'serial')
    expect(child(serial, 'source')?.attributes.get('path')).toBe('/run/vm-1-${MAINSTAY_OTHER}.sock')
    const hostile = { MAINSTAY_VM_NAME: `'/><evil/>` }
    const domain = build(diskless, { variables: hostile })
    expect(child(child(child(domain, 'devices'), 'serial'), 'source')?.attributes.get('path')).toContain(`'/><evil/>`)
  })

  test.each([
    ['guests would share its disk', DUMP, null, 'share and write to'],
    ['there is nothing for the volume to be', diskless, '/pool/v.qcow2', 'no disk'],
    ['it is something else', '<network><name>n</name></network>', null, 'not a <domain>'],
    ['it is no XML', '<domain><name></domain>', null, 'not well-formed'],
    ['it declares entities', '<!DOCTYPE x [<!ENTITY e "e">]><domain/>', null, 'document type'],
    ['it is empty', '', null, 'not well-formed'],
  ])('is refused when %s', (_what, xml, diskPath, message) => {
    expect(() => domainXml(xml, { ...PLAN, diskPath })).toThrow(message)
  })
})

describe('our element', () => {
  test('comes back as it was written', () => {
    const element = child(build(diskless), 'metadata')?.children[1]
    const attributes = [...element!.attributes].filter(([name]) => !name.startsWith('xmlns'))
    expect(Object.fromEntries(attributes)).toMatchObject({
      pool: MACHINE.tags.pool,
      created: '42',
      address: '192.0.2.7',
    })
  })

  test.each([
    '',
    'text',
    '<machine/>',
    '<machine installation="a" pool="b" vm="c"/>',
    '<machine created="x"/>',
    '<a><b>',
  ])('%j is nobody’s', (xml) => expect(readMachineElement(xml)).toBeNull())
})
