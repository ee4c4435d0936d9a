import { readFile } from 'node:fs/promises'

import { describe, expect, test } from 'vitest'

import { agentOptions } from '../agent-options.ts'
import { KNOWN_OPTIONS } from './known-options.ts'
import { importMonitorsConf } from './monitors-conf.ts'

const page = await readFile(new URL('../../../../../docs/reference/agent.md', import.meta.url), 'utf8')
const rows = page
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, section = '', option = '', fallback = '']) => ({ section: quoted(section)[0], option, fallback }))
  .filter(({ section }) => section !== undefined)

describe('the page of the agent’s options', () => {
  test.each(['libvirt', 'instance', 'sender', 'callback', 'metrics'])('has all of [%s]', (section) => {
    const named = rows.filter((row) => row.section === section).flatMap(({ option }) => quoted(option))
    expect(named.toSorted()).toEqual(KNOWN_OPTIONS[section]?.toSorted())
  })

  test('has the defaults', () => {
    const withDefault = rows.filter(({ fallback }) => quoted(fallback).length > 0)
    for (const { section = '', option, fallback } of withDefault) {
      const text = `[${section}]\n${quoted(option)[0]} = ${quoted(fallback)[0]}\n`
      const { options, warnings } = importMonitorsConf(text, 'agent.conf')
      expect(warnings).toEqual([])
      // All of [api] is also kept as it stands, for Keystone.
      const api = { ...options.api, keystone: {} }
      expect(agentOptions({ ...options, api, hostname: 'cn7' })).toEqual(agentOptions({ hostname: 'cn7' }))
    }
    expect(withDefault.length).toBeGreaterThan(20)
  })
})

function quoted(cell: string): string[] {
  return [...cell.matchAll(/`([^`]*)`/g)].map(([, text = '']) => text)
}
