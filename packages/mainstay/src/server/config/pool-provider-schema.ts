import { Type, type Static } from 'typebox'

import { DEFAULT_COMMAND_SETTINGS as COMMAND } from '../../pool/provider/command/options.ts'
import { DEFAULT_CLOUD_LATENCY as CLOUD } from '../../pool/provider/simulated/cloud.ts'
import { DEFAULT_LIBVIRT_PROVIDER_SETTINGS as LIBVIRT } from '../../pool/provider/libvirt/options.ts'
import { amount, closed, command, count, name, words } from './option-kinds.ts'

const LibvirtTemplate = Type.Object(
  {
    name: Type.String({
      description: 'What profile.template of a group calls it; a group that names none gets default.',
      default: 'default',
    }),
    file: Type.String({ description: 'A domain as virsh dumpxml prints it.' }),
    disk_base: Type.Optional(
      Type.String({ description: 'The image that lies under the disk of every guest; without it they have none.' }),
    ),
    disk_format: Type.Union([Type.Literal('qcow2'), Type.Literal('raw')], {
      description: 'The format of that image.',
      default: 'qcow2',
    }),
    disk_pool: Type.String({ description: 'The storage pool for the disks of guests.', default: 'default' }),
    disk_size_mib: count('How large their disks are; at least as large as the image.', 10_240, 1),
    address: Type.Union(
      [
        Type.Literal('lease'),
        Type.Literal('agent'),
        Type.Literal('arp'),
        Type.Literal('static'),
        Type.Literal('metadata'),
      ],
      {
        description:
          'Who tells the address of a guest: its DHCP server, the agent inside, the ARP table, the list of addresses, or you.',
        default: 'lease',
      },
    ),
    address_family: Type.Union([Type.Literal('ipv4'), Type.Literal('ipv6')], {
      description: 'Which of its addresses counts (lease, agent, arp).',
      default: 'ipv4',
    }),
    addresses: words('Addresses to give, single or as first-last (static).'),
  },
  closed,
)

/** Where machines come from. The table that is named like the driver has its options. */
export const PoolProvider = Type.Object(
  {
    name: name('What groups call it.'),
    driver: Type.Union([Type.Literal('simulated'), Type.Literal('command'), Type.Literal('libvirt')], {
      description: 'simulated makes nothing real, command runs programs, libvirt makes guests from a template.',
    }),
    priority: Type.Integer({ description: 'The highest is asked first.', default: 0 }),
    weight: amount('Among equals, its share of the machines.', 1),
    simulated: Type.Optional(
      Type.Object(
        {
          seed: count('The same number gives the same behaviour.', 1),
          build_ms: count('How long making a machine takes.', CLOUD.buildMs),
          start_ms: count('How long starting a stopped one takes.', CLOUD.startMs),
          destroy_ms: count('How long destroying one takes.', CLOUD.destroyMs),
          machines: Type.Optional(Type.Integer({ description: 'The most machines that it has room for.', minimum: 0 })),
        },
        { ...closed, description: 'Options of the driver simulated.' },
      ),
    ),
    command: Type.Optional(
      Type.Object(
        {
          create: command('Makes a machine and prints its IP= and vm_name=, or one line of JSON.'),
          destroy: command('Destroys the machine that MAINSTAY_VM_NAME and MAINSTAY_VM_IP name.'),
          list: Type.Optional(
            command('Prints all machines as JSON; without it, what a crash left behind is not found.'),
          ),
          describe: Type.Optional(command('Prints one machine.')),
          start: Type.Optional(command('Starts a stopped machine.')),
          stop: Type.Optional(command('Stops a machine.')),
          reset: Type.Optional(command('Makes a used machine clean again.')),
          quota: Type.Optional(command('Prints how much is used and allowed.')),
          list_resources: Type.Optional(command('Prints volumes, addresses and key pairs that carry our tags.')),
          destroy_resource: Type.Optional(command('Removes one of these.')),
          create_timeout_ms: count('How long making, starting or resetting one may take.', COMMAND.createTimeoutMs, 1),
          destroy_timeout_ms: count('How long destroying or stopping one may take.', COMMAND.destroyTimeoutMs, 1),
          ask_timeout_ms: count('How long a question may take.', COMMAND.askTimeoutMs, 1),
          kill_grace_ms: count('How long a program that is ended has to clean up.', COMMAND.killGraceMs),
          containment: Type.Union([Type.Literal('group'), Type.Literal('namespace')], {
            description:
              'namespace ends also children that left the process group; it needs root and the program unshare.',
            default: COMMAND.containment,
          }),
        },
        {
          ...closed,
          description: 'Programs of the driver command. In their arguments ${MAINSTAY_VM_NAME} and so on are replaced.',
        },
      ),
    ),
    libvirt: Type.Optional(
      Type.Object(
        {
          socket: Type.String({
            description: 'Its libvirt socket, read-write.',
            default: '/run/libvirt/libvirt-sock',
          }),
          uri: Type.Optional(Type.String({ description: 'The driver on the host; qemu:///system unless given.' })),
          max_machines: count('The most machines that it makes; 0 for no limit.', LIBVIRT.maxMachines),
          create_timeout_ms: count('How long a guest may take to its address.', LIBVIRT.createTimeoutMs, 1),
          connect_timeout_ms: count('How long connecting may take.', LIBVIRT.connectTimeoutMs, 1),
          ask_timeout_ms: count('How long libvirtd may take to answer a question.', LIBVIRT.askTimeoutMs, 1),
          act_timeout_ms: count('How long it may take to make or end one thing.', LIBVIRT.actTimeoutMs, 1),
          poll_ms: count('How often a guest without an address is looked at.', LIBVIRT.pollMs, 1),
          graceful_stop_ms: count(
            'How long a guest may take to stop by itself before its plug is pulled; 0 pulls it at once.',
            LIBVIRT.gracefulStopMs,
          ),
          templates: Type.Array(LibvirtTemplate, { description: 'What guests are made from.', minItems: 1 }),
        },
        { ...closed, description: 'Options of the driver libvirt: one host is one provider.' },
      ),
    ),
  },
  closed,
)

export type PoolProviderConfig = Static<typeof PoolProvider>
