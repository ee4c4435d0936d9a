import { buildCommand } from '@stricli/core'

import type { NewNotification, NotificationType } from '../../client/index.ts'
import { isJsonObject, parseJson } from '../../core/json.ts'
import { connect, connectionFlags, type ConnectionFlags } from '../connection.ts'
import type { CliContext } from '../context.ts'
import { dryRunFlag, printPlan, type DryRunFlags } from '../dry-run.ts'
import { UsageError } from '../errors.ts'
import { followFlags, waitFor, type FollowFlags } from '../follow.ts'
import { oneOf } from '../one-of.ts'
import { outputAliases, outputFlags, type OutputFlags } from '../output/flags.ts'
import { renderRecord } from '../output/print.ts'
import { ProgressLine } from '../progress.ts'
import { textArgument } from '../text-argument.ts'
import { isSettled, refuseFailed } from './settled.ts'
import { notificationView } from './view.ts'

interface Flags extends ConnectionFlags, OutputFlags, DryRunFlags, Omit<FollowFlags, 'watch'> {
  readonly wait: boolean
}

const { watch: _watch, ...waitFlags } = followFlags
const TYPES: Readonly<Record<NotificationType, true>> = { COMPUTE_HOST: true, VM: true, PROCESS: true }

export const notificationCreate = buildCommand<Flags, [NotificationType, string, string, string], CliContext>({
  docs: {
    brief: 'Report a failure',
    fullDescription:
      'The report is acted upon like one of a monitor: guests may be restarted elsewhere. ' +
      'With --wait it exits when the recovery has ended, with 1 when it failed.',
  },
  parameters: {
    flags: {
      wait: { kind: 'boolean', default: false, withNegated: false, brief: 'Wait until its recovery has ended' },
      ...waitFlags,
      ...dryRunFlag,
      ...outputFlags,
      ...connectionFlags,
    },
    aliases: outputAliases,
    positional: {
      kind: 'tuple',
      parameters: [
        {
          ...oneOf(Object.keys(TYPES) as NotificationType[]),
          placeholder: 'TYPE',
          brief: 'COMPUTE_HOST, VM or PROCESS',
        },
        textArgument('HOSTNAME', 'The host on which it failed'),
        textArgument('GENERATED_TIME', 'When, in ISO 8601; UTC when it has no offset'),
        textArgument('PAYLOAD', 'What happened, as a JSON object'),
      ],
    },
  },
  async func(flags, type, hostname, generatedTime, payload) {
    const notification = { type, hostname, generated_time: generatedTime, payload: readPayload(payload) }
    const client = await connect(this, flags)
    if (flags.dryRun) {
      const call = { method: 'POST', api: 'v1', path: '/notifications', body: { notification } } as const
      printPlan(this, client, { what: `report that ${type} failed on ${hostname}`, ...call })
      return
    }
    const { signal } = this
    const created = await client.notifications.create(notification, { signal })
    const uuid = created.notification_uuid
    if (!flags.wait) {
      this.process.stdout.write(await renderRecord(this, flags, notificationView, created))
      return
    }
    using progress = new ProgressLine(this)
    const last = await waitFor(this, flags, {
      what: `The recovery of notification ${uuid}`,
      first: created,
      fetch: async () => await client.notifications.show(uuid, { signal }),
      done: isSettled,
      seen: ({ status }) => progress.show(`notification ${uuid}: ${status}`),
    })
    progress[Symbol.dispose]()
    this.process.stdout.write(await renderRecord(this, flags, notificationView, last))
    refuseFailed(last)
  },
})

/** @throws UsageError unless the text is a JSON object of texts */
function readPayload(text: string): NewNotification['payload'] {
  const payload = parseJson(text, 'The payload')
  if (isJsonObject(payload) && Object.values(payload).every((value) => typeof value === 'string')) {
    return payload as NewNotification['payload']
  }
  throw new UsageError('The payload is no JSON object of texts; write it as \'{"event": "STOPPED"}\'.')
}
