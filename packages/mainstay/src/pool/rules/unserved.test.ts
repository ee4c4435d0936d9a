import { describe, expect, test } from 'vitest'

import { VM_STATES } from '../state.ts'
import { isUnserved } from './unserved.ts'

describe('C7 C10 machines whose provider is not configured', () => {
  test('C10 are set aside where nobody works with them and nothing is under way', () => {
    const aside = VM_STATES.filter((state) => isUnserved({ provider: 'gone', state }, { providers: ['sim'] }))
    expect(aside).toEqual(['got_ip', 'check_health', 'check_health_failed', 'ready', 'standby'])
  })

  test.each([
    ['one whose provider is there', 'sim', ['sim'], false],
    ['one that nobody made', null, ['sim'], false],
    ['one of which nobody knows', 'sim', undefined, false],
    ['one where there is no provider at all', 'sim', [], true],
  ])('C10 %s', (_what, provider, providers, expected) => {
    const known = providers === undefined ? {} : { providers }
    expect(isUnserved({ provider, state: 'ready' }, known)).toBe(expected)
  })
})
