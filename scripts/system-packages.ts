/** A package of the machine that some tests cannot do without. */
export interface SystemPackage {
  readonly name: string
  /** The suites that use it, and for what. */
  readonly neededBy: string
}

/** What `npm run test:all` sees to before it runs, by Debian's names. */
export const SYSTEM_PACKAGES: readonly SystemPackage[] = [
  { name: 'postgresql', neededBy: 'engines, e2e, crash: the store, the journal, the server on PostgreSQL' },
  { name: 'redis-server', neededBy: 'engines: pools and the event log on Redis' },
  { name: 'rabbitmq-server', neededBy: 'engines: OpenStack notifications' },
  { name: 'mariadb-server', neededBy: 'engines: the test kit; real: Keystone' },
  { name: 'libvirt-daemon', neededBy: 'real: libvirt' },
  { name: 'libvirt-daemon-driver-qemu', neededBy: 'real: guests of libvirt' },
  { name: 'libvirt-clients', neededBy: 'real: comparison with virsh' },
  { name: 'qemu-system-x86', neededBy: 'real: guests' },
  { name: 'qemu-utils', neededBy: 'real: disks of guests' },
  { name: 'keystone', neededBy: 'real: tokens; engines: the test kit' },
  { name: 'glance-api', neededBy: 'engines: the test kit starts it on a socket of ours' },
  { name: 'masakari-api', neededBy: 'engines: the test kit; real: the API that ours is compared with' },
  { name: 'masakari-engine', neededBy: 'engines: the test kit' },
  { name: 'chromium', neededBy: 'real: a browser that reads the event stream' },
  { name: 'zsh', neededBy: 'completion: the command line in this shell' },
  { name: 'fish', neededBy: 'completion: the command line in this shell' },
  { name: 'python3-masakariclient', neededBy: 'e2e: the client that must work unmodified' },
  { name: 'python3-openstackclient', neededBy: 'e2e: the client that must work unmodified' },
]
