import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const source = readFileSync(new URL('spec.ts', import.meta.url), 'utf8')
const page = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

/** The members of an interface, with the line before each. */
function membersOf(name: string): { member: string; before: string }[] {
  const body = new RegExp(`^export interface ${name}[^]*?^}$`, 'm').exec(source)?.[0].split('\n') ?? []
  return body.flatMap((line, index) => {
    const member = /^ {2}readonly (\w+)/.exec(line)?.[1]
    return member === undefined ? [] : [{ member, before: body[index - 1] ?? '' }]
  })
}

describe('what a server is', () => {
  test('every member of its specification is explained beside it, and named on the page', () => {
    const members = membersOf('ServerSpec')
    expect(members.map(({ member }) => member)).toContain('name')
    expect(members.filter(({ before }) => !before.endsWith('*/')).map(({ member }) => member)).toEqual([])
    expect(members.filter(({ member }) => !page.includes(`\`${member}\``)).map(({ member }) => member)).toEqual([])
  })
})
