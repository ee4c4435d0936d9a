import { describe, expect, test } from 'vitest'

import { AgentConfigError } from '../errors.ts'
import { ignoredDomains } from './ignore-domains.ts'
import { libvirtAddress } from './libvirt-address.ts'
import { parseUuidSource, uuidInMetadata } from './uuid-source.ts'

describe('ignore_domains (IM-11)', () => {
  test.each([
    ['build-*', 'build-7', true],
    ['build-*', 'my-build-7', false],
    ['vm-?', 'vm-1', true],
    ['vm-?', 'vm-12', false],
    ['vm-[0-3]', 'vm-2', true],
    ['vm-[!0-3]', 'vm-2', false],
    ['vm-[!0-3]', 'vm-7', true],
    ['a.b', 'axb', false],
    ['a+(b', 'a+(b', true],
    ['[', '[', true],
    ['', 'anything', false],
  ])('%s on %s: %s', (pattern, name, expected) => {
    expect(ignoredDomains([pattern])(name)).toBe(expected)
  })

  test('no pattern ignores nothing', () => {
    expect(ignoredDomains([])('a')).toBe(false)
  })
})

describe('uuid_source (IM-10)', () => {
  test('the domain, or a tag of its metadata', () => {
    expect(parseUuidSource('domain')).toEqual({ kind: 'domain' })
    const metadata = { kind: 'metadata', namespace: 'http://example.org/x#1', tag: 'vm-id' }
    expect(parseUuidSource('metadata:http://example.org/x#1#vm-id')).toEqual(metadata)
    for (const wrong of ['', 'metadata:', 'metadata:ns', 'metadata:ns#', 'xml']) {
      expect(() => parseUuidSource(wrong)).toThrow(AgentConfigError)
    }
  })

  test.each([
    ['<m:vm xmlns:m="x"><m:vm-id>ABCD-1</m:vm-id></m:vm>', 'abcd-1'],
    ['<vm-id xmlns="x"> abcd </vm-id>', 'abcd'],
    ['<vm-id xmlns="x" kind="a">abcd</vm-id>', 'abcd'],
    ['<a><b><c>1</c></b><b><vm-id>2</vm-id></b></a>', '2'],
    ['<a><vm-id/></a>', undefined],
    ['<a/>', undefined],
  ])('in %s', (xml, expected) => {
    expect(uuidInMetadata(xml, 'vm-id')).toBe(expected)
  })
})

describe('connection_uri (IM-1)', () => {
  const runtime = { runtimeDir: '/run/user/7' }
  test.each([
    ['qemu:///system', ['/run/libvirt/libvirt-sock-ro', '/run/libvirt/virtqemud-sock-ro'], 'qemu:///system'],
    ['qemu+unix:///system', ['/run/libvirt/libvirt-sock-ro', '/run/libvirt/virtqemud-sock-ro'], 'qemu:///system'],
    ['qemu:///session', ['/run/user/7/libvirt/libvirt-sock', '/run/user/7/libvirt/virtqemud-sock'], 'qemu:///session'],
    ['xen:///system', ['/run/libvirt/libvirt-sock-ro', '/run/libvirt/virtxend-sock-ro'], 'xen:///system'],
    ['qemu:///system?socket=/tmp/s', ['/tmp/s'], 'qemu:///system'],
  ])('%s', (uri, socketPaths, opened) => {
    expect(libvirtAddress(uri, runtime)).toEqual({ socketPaths, uri: opened })
  })

  test.each(['qemu+ssh://host/system', 'qemu://host/system', 'qemu+tcp:///system', 'nonsense'])(
    '%s leads elsewhere and is refused',
    (uri) => {
      expect(() => libvirtAddress(uri, runtime)).toThrow(AgentConfigError)
    },
  )
})
