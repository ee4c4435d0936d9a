import { expect, test } from 'vitest'

import { adminContext, currentContext, elevated, requestContext, runInContext } from './context.ts'

const context = requestContext({ requestId: 'req-1', timestampMs: 0, userId: 'ada', roles: ['reader'] })

test('outside of a request there is no context', () => {
  expect(currentContext()).toBeUndefined()
})

test('two requests that wait at the same time each see their own', async () => {
  const other = requestContext({ requestId: 'req-2', timestampMs: 0 })
  const ask = async (): Promise<string | undefined> => {
    await new Promise<void>((resolve) => setImmediate(resolve))
    return currentContext()?.requestId
  }
  const seen = await Promise.all([runInContext(context, ask), runInContext(other, ask)])
  expect(seen).toEqual(['req-1', 'req-2'])
})

test('unknown members are null, nobody is admin', () => {
  expect(requestContext({ requestId: 'req-3', timestampMs: 5 })).toMatchObject({
    userId: null,
    authToken: null,
    isAdmin: false,
    roles: [],
  })
})

test('elevating adds admin once, to a copy (ha-api 20.4)', () => {
  const raised = elevated(context)
  expect(raised).toMatchObject({ isAdmin: true, roles: ['reader', 'admin'], userId: 'ada' })
  expect(elevated(raised).roles).toEqual(['reader', 'admin'])
  expect(raised.roles).not.toBe(elevated(raised).roles)
  expect(context).toMatchObject({ isAdmin: false, roles: ['reader'] })
})

test('periodic work is admin without user and project (ha-api 20.4)', () => {
  expect(adminContext({ requestId: 'req-4', timestampMs: 0 })).toMatchObject({
    isAdmin: true,
    roles: ['admin'],
    userId: null,
    projectId: null,
  })
})
