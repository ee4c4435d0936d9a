import { readFile, writeFile } from 'node:fs/promises'

import { describe, expect, test } from 'vitest'

import { isJsonObject, type Json, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { openapiDocument } from '../../packages/mainstay/src/ha/index.ts'
import { routeMasakari } from '../../packages/mainstay/src/ha/api/route.ts'
import { startHa } from '../../packages/mainstay/src/ha/testing/start-ha.ts'

const COMMITTED = new URL('../../docs/reference/openapi-ha.json', import.meta.url)

/** Every operation of the document as method, path and description. */
function operations(document: JsonObject): [method: string, path: string, operation: JsonObject][] {
  const paths = document['paths']
  if (!isJsonObject(paths)) throw new Error('The document has no paths.')
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(isJsonObject(item) ? item : {}).map(([method, operation]): [string, string, JsonObject] => [
      method.toUpperCase(),
      path,
      isJsonObject(operation) ? operation : {},
    ]),
  )
}

describe('the OpenAPI description of the HA API', () => {
  test('docs/reference/openapi-ha.json is current (MAINSTAY_UPDATE_DOCS=1 writes it)', async () => {
    const text = `${JSON.stringify(openapiDocument(), null, 2)}\n`
    if (process.env['MAINSTAY_UPDATE_DOCS'] === '1') await writeFile(COMMITTED, text)
    expect(await readFile(COMMITTED, 'utf8')).toBe(text)
  })

  test('every operation is a route, and operation ids are unique', () => {
    const all = operations(openapiDocument())
    const inTree = all.filter(([, path]) => path.startsWith('/v1'))
    expect(inTree.length).toBeGreaterThanOrEqual(18)
    for (const [method, path] of inTree) {
      expect(routeMasakari(method, path.replaceAll(/[{}]/g, '')), `${method} ${path}`).toMatchObject({ kind: 'action' })
    }
    const ids = all.map(([, , operation]) => operation['operationId'] as Json)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('it is served', async () => {
    await using ha = await startHa()
    const answer = await ha.send('GET', '/api/v1/openapi.json')
    expect(answer.status).toBe(200)
    expect(answer.json).toMatchObject({ openapi: '3.1.1', paths: openapiDocument()['paths'] })
  })
})
