import { expect, test } from 'vitest'

import { KeyedMutex } from './keyed-mutex.ts'

test('runs one at a time for a name, in order, also after one failed, and others side by side', async () => {
  const mutex = new KeyedMutex()
  const order: string[] = []
  const gate = Promise.withResolvers<void>()
  const first = mutex.run('a', async () => {
    await gate.promise
    order.push('first')
    throw new RangeError('no')
  })
  const second = mutex.run('a', async () => order.push('second'))
  await mutex.run('b', async () => order.push('other'))
  gate.resolve()
  await expect(first).rejects.toThrow(RangeError)
  await second
  expect(order).toEqual(['other', 'first', 'second'])
})
