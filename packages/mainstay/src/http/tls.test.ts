import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { runCommand } from '../core/child-process.ts'
import { readTls } from './tls.ts'

let directory: string

/** The path of a file of this test. */
const file = (name: string): string => join(directory, name)

async function makePair(name: string): Promise<void> {
  const out = ['-keyout', file(`${name}.key`), '-out', file(`${name}.cert`)]
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  await runCommand(['openssl', 'req', ...kind, '-subj', `/CN=${name}`, ...out], { timeoutMs: 30_000 })
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-tls-files-'))
  await makePair('one')
  await makePair('other')
  await writeFile(file('empty'), '')
})

afterAll(async () => {
  await rm(directory, { recursive: true })
})

describe('files for TLS that are no good are named (ha-api 20.1)', () => {
  test.each([
    ['one.key', 'one.cert', null, /one\.key holds no certificate/],
    ['empty', 'one.key', null, /certificate, .*empty, is empty/],
    ['one.cert', 'one.cert', null, /one\.cert holds no private key/],
    ['one.cert', 'empty', null, /private key, .*empty, is empty/],
    ['one.cert', 'other.key', null, /other\.key does not belong to the certificate in .*one\.cert/],
    ['one.cert', 'one.key', 'other.key', /other\.key holds no certificates of client authorities/],
    ['one.cert', 'one.key', 'empty', /client authorities, .*empty, is empty/],
    ['missing', 'one.key', null, /missing, cannot be read/],
  ])('certificate %s, private key %s, authorities %s', (cert, key, ca, message) => {
    const files = { certFile: file(cert), keyFile: file(key), clientCaFile: ca === null ? null : file(ca) }
    expect(() => readTls(files)).toThrow(message)
  })

  test('good ones are taken', () => {
    const files = { certFile: file('one.cert'), keyFile: file('one.key'), clientCaFile: file('other.cert') }
    expect(readTls(files)).toMatchObject({ requestCert: true, rejectUnauthorized: true })
  })
})
