import { ManualClock } from '../../../core/clock.ts'
import { StreamManager, type StreamManagerOptions } from '../stream-manager.ts'
import { FakeLoops } from './fake-loops.ts'
import { LogLines } from './log-lines.ts'

/** A manager between fakes. */
export interface ManagerStage {
  readonly manager: StreamManager
  readonly log: LogLines
  readonly loops: FakeLoops
}

export function managerStage(options: StreamManagerOptions = {}): ManagerStage {
  const log = new LogLines()
  const loops = new FakeLoops()
  const manager = new StreamManager({
    clock: new ManualClock(),
    logger: log.logger,
    startLoop: loops.start,
    heartbeatSource: 'osism',
    ...options,
  })
  return { manager, log, loops }
}
