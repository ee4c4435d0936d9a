import { expect, test } from 'vitest'

import { StoredEvent } from './stored-event.ts'
import { TailFeed } from './tail-feed.ts'
import { Follower } from './testing/follow.ts'
import { newEvent } from './testing/new-event.ts'

const epoch = 'one-epoch'
const events = [1, 2, 3, 4, 5].map((seq) => new StoredEvent({ seq, epoch }, JSON.stringify(newEvent(seq))))

/** A store that has the first events, beside a feed that learns of them when somebody asks how far they go. */
function follow(feed: TailFeed, stored: number, learn: () => void): Follower {
  const source = {
    read: async ({ after, limit }: { after: number; limit: number }) => events.slice(after, stored).slice(0, limit),
    extent: async () => {
      learn()
      return { epoch, oldest: 1, head: stored }
    },
  }
  return new Follower({ tail: (from, { signal }) => feed.follow(from, source, signal) }, { epoch, seq: 0 })
}

test('who follows before the log was first looked at is told of no new history', async () => {
  const feed = new TailFeed({ epoch: '', head: 0 })
  await using follower = follow(feed, 2, () => {
    if (feed.epoch === '') feed.restart({ epoch, head: 2 })
  })
  await follower.until('the events', (each) => each.events.length >= 2)
  feed.announce(events.slice(2, 3))
  await follower.until('one more', (each) => each.events.length >= 3)
  expect(follower.events.map(({ seq }) => seq)).toEqual([1, 2, 3])
  expect(follower.news.map(({ kind }) => kind)).not.toContain('epoch')
})

test('who reads more than was told of yet is told of no new history, and of nothing twice', async () => {
  const feed = new TailFeed({ epoch, head: 2 })
  await using follower = follow(feed, 4, () => feed.advance(4))
  await follower.until('what is stored', (each) => each.events.length >= 4)
  feed.advance(4)
  feed.announce(events.slice(4))
  await follower.until('one more', (each) => each.events.length >= 5)
  expect(follower.events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
  expect(follower.news.map(({ kind }) => kind)).not.toContain('epoch')
})
