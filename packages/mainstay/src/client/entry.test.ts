import { expect, test } from 'vitest'

import * as client from './index.ts'

test('the entry of the published package has every name of the client', async () => {
  const entry: object = await import('mainstay/client')
  expect(Object.keys(entry).sort()).toEqual(Object.keys(client).sort())
})
