import { ManualClock } from '../../../core/clock.ts'

/** A clock on which every wait ends at once, and is remembered. */
export class RecordingClock extends ManualClock {
  readonly sleeps: number[] = []

  override async sleep(delayMs: number, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    signal?.throwIfAborted()
    this.sleeps.push(delayMs)
    await this.advance(delayMs)
  }
}
