import type { Reset } from './frame.ts'
import type { EventStreamOptions } from './options.ts'
import type { StreamedEvent } from './streamed-event.ts'

/** What a stream hands out, in its order. */
export type Item =
  | { readonly kind: 'event'; readonly event: StreamedEvent }
  | { readonly kind: 'reset'; readonly reset: Reset }
  | { readonly kind: 'lagged'; readonly dropped: number }

/** Where a stream goes on after an item, or undefined when the item does not say. */
export function cursorBehind(item: Item): string | undefined {
  if (item.kind === 'event') return item.event.cursor
  return item.kind === 'reset' ? item.reset.cursor : undefined
}

/** Tells the callback that an item is for. @throws what it throws */
export function callBack(
  item: Item,
  { onEvent, onReset, onLagged }: Pick<EventStreamOptions, 'onEvent' | 'onReset' | 'onLagged'>,
): void {
  switch (item.kind) {
    case 'event':
      return onEvent?.(item.event)
    case 'reset':
      return onReset?.(item.reset)
    case 'lagged':
      return onLagged?.(item.dropped)
  }
}
