import { describe, expect, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import { parseTarget, targetRules } from './target.ts'

const rules = targetRules()

describe('addresses that webhooks are not sent to (R39)', () => {
  test.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:0:1::',
    '2001:db8::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    'localhost',
    '',
  ])('R39 %s is refused', (address) => {
    expect(rules.allows(address)).toBe(false)
  })

  test.each(['8.8.8.8', '172.15.255.255', '172.32.0.1', '192.169.0.1', '2606:4700::1111', '::ffff:8.8.8.8'])(
    'R39 %s is allowed',
    (address) => {
      expect(rules.allows(address)).toBe(true)
    },
  )

  test('R39 what the operator allows is allowed, and nothing beside it', () => {
    const own = targetRules(['10.1.0.0/16', '192.168.7.7', 'fd00::/8'])
    expect(['10.1.255.255', '192.168.7.7', '::ffff:10.1.0.1', 'fd12::1'].map((each) => own.allows(each))).toEqual(
      Array.from({ length: 4 }, () => true),
    )
    expect(['10.2.0.0', '192.168.7.8', 'fc00::1'].map((each) => own.allows(each))).toEqual([false, false, false])
  })

  test.each(['10.0.0.0/33', '10.0.0/8', 'example.org', 'fd00::/129', '10.0.0.0/x', ''])(
    '"%s" is no range of addresses',
    (range) => {
      expect(() => targetRules([range])).toThrow(InvalidInputError)
    },
  )
})

describe('the url of a webhook (R39)', () => {
  test.each([
    ['no address', 'hook'],
    ['another protocol', 'ftp://example.org/'],
    ['a file', 'file:///etc/passwd'],
    ['a password', 'https://user:secret@example.org/'],
    ['an address of ours', 'http://127.0.0.1:8080/'],
    ['the same as one number', 'http://2130706433/'],
    ['the same in octal', 'http://0177.0.0.1/'],
    ['the same in IPv6', 'http://[::ffff:127.0.0.1]/'],
    ['the metadata of a cloud', 'http://169.254.169.254/latest'],
    ['a neighbour', 'https://[fe80::1]/'],
  ])('R39 %s is refused: %s', (_what, url) => {
    expect(() => parseTarget(url, rules)).toThrow(InvalidInputError)
  })

  test('R39 a name is taken: its address is judged at every connection', () => {
    expect(parseTarget('https://hooks.example.org/in?x=1', rules).href).toBe('https://hooks.example.org/in?x=1')
    expect(parseTarget('http://127.0.0.1:8080/', targetRules(['127.0.0.0/8'])).port).toBe('8080')
  })

  test('says what to do', () => {
    expect(() => parseTarget('http://10.0.0.1/', rules)).toThrow(/10\.0\.0\.1.*webhooks\.allowed_networks/)
  })
})
