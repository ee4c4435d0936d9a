import { LibvirtArgumentError, LibvirtConnectError, LibvirtError, LibvirtErrorCode } from '@mainstay/libvirt-rpc'
import { DomainState, PausedReason, RunningReason, ShutoffReason } from '@mainstay/libvirt-rpc'
import { assert, integer, property, record, string } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { libvirtFailureClass } from './failure-class.ts'
import { freeAddress, usableAddress } from './guest-address.ts'
import { machineStatus } from './machine-status.ts'
import { expandAddresses } from './static-addresses.ts'
import { readVolumeName, volumeName } from './volume-name.ts'

describe('the name of a volume, which holds its tags', () => {
  test('comes back, whatever the parts hold, and is a file name', () => {
    const text = string({ unit: 'grapheme-ascii', minLength: 1 })
    const tags = record({ installation: text, pool: text, vmName: text, createdAt: integer({ min: 0 }) })
    assert(
      property(tags, (each) => {
        expect(volumeName(each)).not.toMatch(/[/\0\n]/)
        expect(readVolumeName(volumeName(each))).toEqual(each)
      }),
    )
  })

  test.each([
    'root.qcow2',
    'mainstay.qcow2',
    'mainstay.ours.p.x.vm.qcow2',
    'mainstay.ours.p.1.vm.raw',
    'mainstay.ours.p.1.vm.extra.qcow2',
    'mainstay.ours.%.1.vm.qcow2',
    'other.ours.p.1.vm.qcow2',
  ])('%s is not ours', (name) => expect(readVolumeName(name)).toBeNull())
})

describe('the status of a guest', () => {
  test.each([
    [DomainState.RUNNING, RunningReason.BOOTED, 'running'],
    [DomainState.BLOCKED, 0, 'running'],
    [DomainState.SHUTOFF, ShutoffReason.UNKNOWN, 'stopped'],
    [DomainState.SHUTOFF, ShutoffReason.SHUTDOWN, 'stopped'],
    [DomainState.SHUTOFF, ShutoffReason.DESTROYED, 'stopped'],
    [DomainState.SHUTOFF, ShutoffReason.CRASHED, 'error'],
    [DomainState.SHUTOFF, ShutoffReason.FAILED, 'error'],
    [DomainState.CRASHED, 1, 'error'],
    [DomainState.PAUSED, PausedReason.STARTING_UP, 'building'],
    [DomainState.PAUSED, PausedReason.IOERROR, 'error'],
    [DomainState.PAUSED, PausedReason.USER, 'unknown'],
    [DomainState.SHUTDOWN, 1, 'unknown'],
    [DomainState.PMSUSPENDED, 0, 'unknown'],
    [99, 0, 'unknown'],
  ])('in state %i for reason %i is %s', (state, reason, status) => {
    expect(machineStatus({ state, reason })).toBe(status)
  })
})

describe('the class of a failure (C11)', () => {
  const refusal = (code: number, message = 'words'): LibvirtError =>
    new LibvirtError({ code, domain: 10, level: 2, message }, 'virDomainCreate')
  const noConnection = (cause: unknown): LibvirtConnectError => new LibvirtConnectError('/socket', 'no', { cause })

  test.each([
    [refusal(LibvirtErrorCode.ACCESS_DENIED), 'authentication'],
    [refusal(LibvirtErrorCode.AUTH_FAILED), 'authentication'],
    [refusal(LibvirtErrorCode.XML_ERROR), 'invalid'],
    [refusal(LibvirtErrorCode.NO_STORAGE_POOL), 'invalid'],
    [refusal(LibvirtErrorCode.NO_NETWORK), 'invalid'],
    [refusal(LibvirtErrorCode.NO_MEMORY), 'capacity'],
    [refusal(LibvirtErrorCode.INTERNAL_ERROR, 'qemu: cannot set up guest memory: Cannot allocate memory'), 'capacity'],
    [refusal(LibvirtErrorCode.SYSTEM_ERROR, 'No space left on device'), 'capacity'],
    [refusal(LibvirtErrorCode.INTERNAL_ERROR), 'transient'],
    [refusal(LibvirtErrorCode.RESOURCE_BUSY), 'transient'],
    [refusal(99_999), 'transient'],
    [new LibvirtArgumentError('too long'), 'invalid'],
    [noConnection(Object.assign(new Error('no'), { code: 'EACCES' })), 'authentication'],
    [noConnection(refusal(LibvirtErrorCode.AUTH_FAILED)), 'authentication'],
    [noConnection(Object.assign(new Error('no'), { code: 'ECONNREFUSED' })), 'transient'],
    [new Error('anything'), 'transient'],
  ])('%s is %s', (error, kind) => expect(libvirtFailureClass(error)).toBe(kind))
})

describe('the address of a guest', () => {
  const card = (...addresses: [number, string][]) => [
    {
      name: 'eth0',
      mac: undefined,
      addresses: addresses.map(([family, address]) => ({ family, address, prefix: 24 })),
    },
  ]

  test.each([
    [card([0, '127.0.0.1'], [0, '169.254.1.1'], [1, '2001:db8::1'], [0, '192.0.2.7']), 'ipv4', '192.0.2.7'],
    [card([1, '::1'], [1, 'fe80::1'], [0, '192.0.2.7'], [1, '2001:db8::1']), 'ipv6', '2001:db8::1'],
    [card([0, '127.0.0.1']), 'ipv4', null],
    [card([0, 'not an address']), 'ipv4', null],
    [[], 'ipv4', null],
  ] as const)('%# is the first that others can reach', (interfaces, family, address) => {
    expect(usableAddress(interfaces, family)).toBe(address)
  })

  test('of a static rule is the first that nobody has', () => {
    const rule = { rule: 'static', addresses: ['192.0.2.1', '192.0.2.2'] } as const
    expect(freeAddress(rule, new Set())).toBe('192.0.2.1')
    expect(freeAddress(rule, new Set(['192.0.2.1']))).toBe('192.0.2.2')
    expect(freeAddress(rule, new Set(rule.addresses))).toBeNull()
  })

  test.each([
    [
      ['192.0.2.7', '2001:db8::7'],
      ['192.0.2.7', '2001:db8::7'],
    ],
    [['192.0.2.254-192.0.3.1'], ['192.0.2.254', '192.0.2.255', '192.0.3.0', '192.0.3.1']],
    [['10.0.0.1 - 10.0.0.1'], ['10.0.0.1']],
    [[], []],
  ])('%j are written out as %j', (texts, addresses) => {
    expect(expandAddresses(texts)).toEqual(addresses)
  })

  test.each(['192.0.2.0/24', '192.0.2.9-192.0.2.1', 'vm-1', '', '10.0.0.1-', '0.0.0.0-255.255.255.255'])(
    '%j is refused',
    (text) => expect(() => expandAddresses([text])).toThrow(text),
  )
})
