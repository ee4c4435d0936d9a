import { expect, test } from 'vitest'

import { moduleGraph } from '../support/module-graph.ts'

test('R40 the stream client brings along nothing that a browser does not have', async () => {
  const entry = new URL('../../packages/mainstay/src/client/stream/index.ts', import.meta.url)
  const { files, foreign } = await moduleGraph(entry)
  expect([...foreign]).toEqual([])
  expect(files.size).toBeGreaterThan(15)
})
