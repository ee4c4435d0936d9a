import { Type, type Static } from 'typebox'

import { DEFAULT_COMMAND_SETTINGS as COMMAND } from '../../pool/provider/command/options.ts'
import { DEFAULT_CLOUD_LATENCY as CLOUD } from '../../pool/provider/simulated/cloud.ts'
import { amount, closed, command, count, name } from './option-kinds.ts'

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
          create_timeout_ms: count('How long making, starting or resetting one may take.', COMMAND.createTimeoutMs, 1),
          destroy_timeout_ms: count('How long destroying or stopping one may take.', COMMAND.destroyTimeoutMs, 1),
          ask_timeout_ms: count('How long a question may take.', COMMAND.askTimeoutMs, 1),
        },
        {
          ...closed,
          description: 'Programs of the driver command. In their arguments ${MAINSTAY_VM_NAME} and so on are replaced.',
        },
      ),
    ),
  },
  closed,
)

export type PoolProviderConfig = Static<typeof PoolProvider>
