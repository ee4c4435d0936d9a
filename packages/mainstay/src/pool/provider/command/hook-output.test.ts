import { describe, expect, test } from 'vitest'

import { HookOutputError, findPrintedAddress, findPrintedId, readPrintedMachine } from './hook-output.ts'

const TASK = `TASK [debug] ***\nok: [localhost] => {\n    "msg": "IP=127.0.0.1"\n}\nok: {"msg": "vm_name=foobar"}\n`

describe('what a create hook printed (vm-pool A8)', () => {
  test.each([
    ['"IP=127.0.0.1" "vm_name=foobar"', '127.0.0.1', 'foobar'],
    ['IP=10.0.0.7\nvm_name=vm-7\n', '10.0.0.7', 'vm-7'],
    ['vm_name=vm-7\r\nIP=10.0.0.7\r\n', '10.0.0.7', 'vm-7'],
    ['IP=2001:db8::1\nvm_name=six', '2001:db8::1', 'six'],
    ['IP=\nIP=10.0.0.1\nIP=10.0.0.2\nvm_name=first\nvm_name=second', '10.0.0.1', 'first'],
    [TASK, '127.0.0.1', 'foobar'],
    [String.raw`{"msg": "IP=10.1.1.1\nvm_name=escaped\n"}`, '10.1.1.1', 'escaped'],
    ['{"vm_ip":"10.0.0.9","vm_name":"json"}', '10.0.0.9', 'json'],
    ['IP=1.1.1.1 from the log\nvm_name=log\n{"vm_ip":"10.0.0.9","vm_name":"last"}\n\n', '10.0.0.9', 'last'],
    ['IP=10.0.0.1\nvm_name=text\n{not json', '10.0.0.1', 'text'],
  ])('B-63 %j names %s and %s', (output, address, name) => {
    expect(readPrintedMachine(output)).toMatchObject({ address, name })
  })

  test('JSON may bring an identifier and data', () => {
    expect(readPrintedMachine('{"vm_ip":"::1","vm_name":"a","id":"i-1","data":{"zone":2}}')).toEqual({
      name: 'a',
      id: 'i-1',
      address: '::1',
      data: { zone: 2 },
    })
  })

  test.each([
    ['', 'no result'],
    ['  \n\n', 'no result'],
    ['vm_name=foobar', 'no IP'],
    ['IP=\nvm_name=foobar', 'no IP'],
    ['IP=127.0.0.1', 'no vm_name'],
    ['IP=foobar\nvm_name=foobar', 'invalid IP'],
    ['IP=256.0.0.2\nvm_name=foobar', 'invalid IP'],
    ['IP=not-an-ip\nvm_name=foobar', 'invalid IP'],
    ['IP=example.com\nvm_name=foobar', 'invalid IP'],
    ['{"vm_ip":"","vm_name":"foobar"}', 'no IP'],
    ['{"vm_ip":12,"vm_name":"foobar"}', 'no IP'],
    ['{"vm_ip":"10.0.0.1","vm_name":""}', 'no vm_name'],
    ['[1,2', 'no IP'],
    ['\u0000\u0001\ufffd'.repeat(100), 'no IP'],
  ])('B-63 %j is refused: %s', (output, reason) => {
    expect(() => readPrintedMachine(output)).toThrow(HookOutputError)
    expect(() => readPrintedMachine(output)).toThrow(reason)
  })

  test('the half-made machine is found in the output of a failure', () => {
    const output = 'IP=10.0.0.1\nvm_name=half\nFATAL: no route to host'
    expect([findPrintedId(output), findPrintedAddress(output)]).toEqual(['half', '10.0.0.1'])
    expect([findPrintedId('FATAL'), findPrintedAddress('FATAL')]).toEqual([undefined, undefined])
  })
})
