import type { EventScope } from '../access/scope.ts'
import type { EventFilter } from '../filter/index.ts'
import { Audience, audienceKey } from './audience.ts'
import { Channel } from './channel.ts'
import type { Dialect } from './dialect.ts'
import type { Pages } from './pages.ts'

/** What a subscriber listens to. */
export interface Listening {
  readonly filter: EventFilter
  readonly scope: EventScope
  readonly dialect: Dialect
}

/** Keeps one of each audience, and of each dialect in it, for as long as somebody listens. */
export class Channels {
  readonly #pages: Pages
  readonly #chunkBytes: number
  readonly #audiences = new Map<string, { audience: Audience; channels: Map<Dialect, Channel> }>()

  constructor(pages: Pages, { chunkBytes }: { chunkBytes: number }) {
    this.#pages = pages
    this.#chunkBytes = chunkBytes
  }

  /** How many distinct audiences there are: so often is an event held against a filter. */
  get audiences(): number {
    return this.#audiences.size
  }

  /** Takes a channel into use; {@link Channels.release} ends that. */
  acquire({ filter, scope, dialect }: Listening): Channel {
    const key = audienceKey(filter, scope)
    let entry = this.#audiences.get(key)
    if (entry === undefined) {
      entry = { audience: new Audience(key, filter, scope), channels: new Map() }
      this.#audiences.set(key, entry)
    }
    let channel = entry.channels.get(dialect)
    if (channel === undefined) {
      channel = new Channel({ audience: entry.audience, dialect }, this.#pages, this.#chunkBytes)
      entry.channels.set(dialect, channel)
    }
    channel.members += 1
    return channel
  }

  release(channel: Channel): void {
    channel.members -= 1
    if (channel.members > 0) return
    const entry = this.#audiences.get(channel.audience.key)
    entry?.channels.delete(channel.dialect)
    if (entry?.channels.size === 0) this.#audiences.delete(channel.audience.key)
  }

  /** Forgets what was made for those who stand at the same place. */
  forgetChunks(): void {
    for (const { channels } of this.#audiences.values()) for (const channel of channels.values()) channel.forget()
  }
}
