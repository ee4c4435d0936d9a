import { describe, expect, test } from 'vitest'

import { boundBecause } from './bound-because.ts'
import { parseXml } from './xml-element.ts'

const SHARED = { sharedPaths: ['/srv/shared', '/dev/shared-vg/'] }

function reasonOf({ devices = '', os = '' }: { devices?: string; os?: string }): string | null {
  return boundBecause(parseXml(`<domain><os>${os}</os><devices>${devices}</devices></domain>`, 'it'), SHARED)
}

const target = `<target dev='vda'/>`

describe('what binds a guest to its host', () => {
  test.each([
    ['nothing at all', ''],
    ['a file on a shared folder', `<disk type='file'><source file='/srv/shared/a.qcow2'/>${target}</disk>`],
    ['a shared logical volume', `<disk type='block'><source dev='/dev/shared-vg/a'/>${target}</disk>`],
    ['a disk of Ceph', `<disk type='network'><source protocol='rbd' name='pool/a'/>${target}</disk>`],
    ['an empty drive', `<disk type='file' device='cdrom'>${target}</disk>`],
    [
      'a medium that may be missing',
      `<disk type='file'><source file='/iso/a' startupPolicy='optional'/>${target}</disk>`,
    ],
    ['a bridge', `<interface type='bridge'><source bridge='br0'/></interface>`],
    ['a LUN over iSCSI', `<hostdev mode='subsystem' type='scsi'><source protocol='iscsi' name='iqn'/></hostdev>`],
    ['a shared folder', `<filesystem type='mount'><source dir='/srv/shared/f'/><target dir='t'/></filesystem>`],
    ['a serial line into a file', `<serial type='pty'/>`],
    ['an external TPM', `<tpm><backend type='external'/></tpm>`],
  ])('not %s', (_what, devices) => {
    expect(reasonOf({ devices })).toBeNull()
  })

  test.each([
    [
      'a local file',
      `<disk type='file'><source file='/var/lib/a.qcow2'/>${target}</disk>`,
      /vda \(\/var\/lib\/a.qcow2\)/,
    ],
    ['a sibling of a shared folder', `<disk type='file'><source file='/srv/shared2/a'/>${target}</disk>`, /vda/],
    ['a way out of a shared folder', `<disk type='file'><source file='/srv/shared/../a'/>${target}</disk>`, /vda/],
    ['a local disk', `<disk type='block'><source dev='/dev/sdb'/>${target}</disk>`, /\/dev\/sdb/],
    ['a volume of a pool', `<disk type='volume'><source pool='p' volume='v'/>${target}</disk>`, /type volume/],
    ['an NVMe drive', `<disk type='nvme'><source type='pci'/>${target}</disk>`, /type nvme/],
    [
      'a local image below a shared one',
      `<disk type='file'><source file='/srv/shared/a'/><backingStore type='file'><source file='/base/b'/></backingStore>${target}</disk>`,
      /\/base\/b/,
    ],
    ['a PCI device', `<hostdev mode='subsystem' type='pci'><source/></hostdev>`, /pci device/],
    ['a network card passed through', `<interface type='hostdev'/>`, /network device/],
    ['a local folder', `<filesystem type='mount'><source dir='/home'/></filesystem>`, /\/home/],
    ['a file system that is no folder', `<filesystem type='ram'><source usage='1'/></filesystem>`, /file system/],
    ['a serial port', `<serial type='dev'><source path='/dev/ttyS0'/></serial>`, /\/dev\/ttyS0/],
    ['a TPM with its state in a file', `<tpm><backend type='emulator'/></tpm>`, /TPM/],
  ])('%s', (_what, devices, reason) => {
    expect(reasonOf({ devices })).toMatch(reason)
  })

  test.each([
    ['a local kernel', `<kernel>/boot/vmlinuz</kernel>`, /\/boot\/vmlinuz/],
    ['firmware memory that cannot be made again', `<nvram>/var/lib/nvram/a.fd</nvram>`, /nvram/],
  ])('%s', (_what, os, reason) => expect(reasonOf({ os })).toMatch(reason))

  test.each([
    ['a shared kernel', `<kernel>/srv/shared/vmlinuz</kernel>`],
    ['firmware memory made from a template', `<nvram template='/usr/share/t.fd'>/var/lib/nvram/a.fd</nvram>`],
    ['the firmware of the operating system', `<loader>/usr/share/OVMF.fd</loader>`],
  ])('not %s', (_what, os) => expect(reasonOf({ os })).toBeNull())
})
