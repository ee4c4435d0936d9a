import { LogLines } from '../../compat/testing/log-lines.ts'
import { RecordingClock } from '../../compat/testing/recording-clock.ts'
import type { Accepted, Ingest } from '../../ingest.ts'
import type { NewStreamEvent } from '../../stream-event.ts'
import { NotificationIntake, type NotificationIntakeDeps } from '../notification-intake.ts'
import { body, type NotificationMembers } from './notification.ts'

/** Keeps what it is given, after failing as often as it is told to. */
export class FakeSink implements Ingest {
  readonly events: NewStreamEvent[] = []
  readonly failures: Error[] = []

  async accept(batch: readonly NewStreamEvent[]): Promise<Accepted> {
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    this.events.push(...batch)
    return { duplicates: 0, spooled: false }
  }
}

/** The intake between fakes. */
export interface IntakeStage {
  readonly intake: NotificationIntake
  readonly sink: FakeSink
  readonly log: LogLines
  readonly clock: RecordingClock
  readonly dead: string[]
  readonly bridged: unknown[][]
  readonly take: (members?: NotificationMembers) => Promise<void>
}

export function intakeStage(deps: Partial<NotificationIntakeDeps> = {}): IntakeStage {
  const [sink, log, clock] = [new FakeSink(), new LogLines(), new RecordingClock()]
  const dead: string[] = []
  const bridged: unknown[][] = []
  const intake = new NotificationIntake({
    clock,
    logger: log.logger,
    ingest: sink,
    bridge: { addEvent: async (...call) => void bridged.push(call) },
    baremetal: null,
    forwarder: null,
    onDeadLetter: (reason) => dead.push(reason),
    ...deps,
  })
  const take = async (members: NotificationMembers = {}): Promise<void> => {
    await intake.take({ body: body(members), routingKey: 'topic.warn', redelivered: false }, 'ironic')
    await intake.idle()
  }
  return { intake, sink, log, clock, dead, bridged, take }
}
