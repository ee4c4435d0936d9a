import type { Clock } from '../../core/clock.ts'
import type { Channels } from './channels.ts'
import type { HubFigures } from './figures.ts'
import type { HubOptions } from './options.ts'
import type { Pages } from './pages.ts'
import type { Subscriber } from './subscriber.ts'

/** What a subscriber needs of its hub. */
export interface Station {
  readonly clock: Clock
  readonly options: HubOptions
  readonly pages: Pages
  readonly channels: Channels
  readonly figures: HubFigures
  /** The history that the pages belong to. */
  readonly epoch: string
  /** Has the page of a place read. Settles with whether that worked. */
  load(seq: number): Promise<boolean>
  /** The log was read and has not got the place. */
  missing(subscriber: Subscriber, seq: number): void
  /** Does something for one subscriber; a fault in it ends that one, and nobody else. */
  guarded(subscriber: Subscriber, work: () => void): void
  /** The subscriber will not ask again. */
  ended(subscriber: Subscriber): void
}
