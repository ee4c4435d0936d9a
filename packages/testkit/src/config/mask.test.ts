import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { removeQuietly } from '../home.ts'
import { rejection, script } from '../testing/fixture-server.ts'
import { atMostMs } from '../testing/patience.ts'
import { maskOutput, maskSecrets, secretsIn } from './mask.ts'
import { serialise } from './serialise.ts'

const pem = '-----BEGIN KEY-----\nfirst-line-of-it\nsecond-line-of-it\n-----END KEY-----'
const config = {
  apiToken: 'TOKEN-abcdef',
  apiKeys: ['KEY-111111', 'KEY-222222'],
  passwords: { alice: 'PASS-wonder' },
  tls: { privateKey: pem },
  keystone: { host: 'keystone.example', user: 'admin' },
}
const secrets = ['TOKEN-abcdef', 'KEY-111111', 'KEY-222222', 'PASS-wonder', 'first-line', 'second-line']
const literal = 'literal-secret'

describe('hidden secrets (testkit.md A3.1)', () => {
  test.each(['a.json', 'b.yaml', 'c.toml', 'd.ini', 'e.env'])('lists and sections of %s are hidden', (name) => {
    const flat =
      name.endsWith('json') || name.endsWith('yaml') || name.endsWith('toml') ? config : { ...config, tls: pem }
    const masked = maskSecrets(serialise(flat, name, 'plain'), secretsIn(config))
    for (const secret of secrets) expect(masked).not.toContain(secret)
  })

  test.each([
    ['one line of JSON', `{"db": {"password": "${literal}", "port": 5432}}`, '"port": 5432'],
    ['a list in JSON', `{\n  "apiKeys": [\n    "${literal}"\n  ],\n  "port": 5432\n}`, '"port": 5432'],
    ['a section in JSON', `{"passwords": {"alice": "${literal}"}, "port": 5432}`, '"port": 5432'],
    ['a list in YAML', `api_keys:\n- ${literal}\n- x${literal}\nport: 5432`, 'port: 5432'],
    ['a deeper list in YAML', `a:\n  api_keys:\n    - ${literal}\n  port: 5432`, '  port: 5432'],
    ['a section in YAML', `passwords:\n  alice: ${literal}\n  bob: ${literal}\nport: 5432`, 'port: 5432'],
    ['a long text in YAML', `private_key: |-\n  begin\n\n  ${literal}\nport: 5432`, 'port: 5432'],
    ['a line', `db_password = ${literal}\nport = 5432`, 'port = 5432'],
    ['an option', `exec: run --token=${literal} --api-key ${literal} --port 5432`, '--port 5432'],
  ])('%s is hidden by its name alone', (_what, text, left) => {
    const masked = maskSecrets(text)
    expect(masked).not.toContain(literal)
    expect(masked).toContain(left)
  })

  test('what has no secret name stays readable', () => {
    const text = serialise({ keystone: config.keystone, port: 5432 }, 'a.json', 'plain')
    expect(maskSecrets(text, secretsIn(config))).toBe(text)
    expect(maskOutput('token: refreshed, key not found', secretsIn(config))).toBe('token: refreshed, key not found')
  })

  test('a very long line takes no time worth mentioning', () => {
    const long = 'a'.repeat(64 * 1024)
    const startedAt = performance.now()
    expect(maskOutput(`${long}\n${long}`, secretsIn(config))).toHaveLength(2 * long.length + 1)
    expect(performance.now() - startedAt).toBeLessThan(atMostMs(100))
  })

  test('a secret is hidden whatever characters are in it', () => {
    const secret = fc.string({ minLength: 4 }).filter((text) => !'***'.includes(text) && !/[*\s]/.test(text))
    fc.assert(
      fc.property(secret, (token) => {
        expect(maskOutput(`said <${token}> twice <${token}>`, secretsIn({ token }))).toBe('said <***> twice <***>')
      }),
    )
  })

  test('H-6 secrets are hidden in the message and in what is attached, also those of the command line', async () => {
    const server = script('', {
      launch: 'oneshot',
      command: ['sh', '-c', 'echo "using $1"; exit 3', 'x', '--token=%(apiToken)s', '--db=postgres://u:url-secret@h/d'],
      config,
      files: [{ name: 'a.yaml', content: ({ config: known }) => known }],
    })
    const cluster = await Cluster.create({ name: 'masked', servers: [server] })
    const { message } = await rejection(cluster.start('script'))
    const { keptDir = '', timeline } = await cluster.dispose({ failed: true })
    const file = readFileSync(join(keptDir, 'timeline.log'), 'utf8')
    for (const secret of [...secrets, 'url-secret'])
      for (const text of [message, timeline, file]) expect(text).not.toContain(secret)
    expect(message).toContain('stdout | using --token=***')
    expect(file).toContain('--token=*** --db=postgres://u:***@h/d')
    expect(readFileSync(join(keptDir, 'script', 'etc', 'a.yaml'), 'utf8')).toContain('KEY-222222')
    removeQuietly(keptDir)
  })
})
