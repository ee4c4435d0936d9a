import { describe, expect, test, vi } from 'vitest'

import type { RunVmmHook } from './hook.ts'
import { hookMachines } from './hook-machines.ts'
import { DEFAULT_VMM_GROUP, DEFAULT_VMM_OPTIONS } from './options.ts'

const signal = new AbortController().signal
const options = {
  ...DEFAULT_VMM_OPTIONS,
  groups: [DEFAULT_VMM_GROUP, { ...DEFAULT_VMM_GROUP, terminatePlaybook: ['/bin/true', '${MAINSTAY_VM_NAME}'] }],
  listPlaybook: '/bin/true',
}

describe('the machines that a list hook prints (vm-pool.md A10)', () => {
  test('with all that is known of them', async () => {
    const printed = '[{"vm_name":"a"},{"vm_name":"b","vm_ip":"10.0.0.1","group":1,"created_at":17.5,"error":true}]'
    const machines = await hookMachines(options, async () => printed).list({ signal })
    expect(machines).toEqual([
      { name: 'a', ip: '', group: 0, createdAt: null, inError: false },
      { name: 'b', ip: '10.0.0.1', group: 1, createdAt: 17.5, inError: true },
    ])
  })

  test.each(['', 'null', '{}', '[{}]', '[{"vm_name":""}]', '["a"]', '[{"vm_name":"a"}'])(
    'an answer %s is an error, and never an empty list',
    async (printed) => {
      await expect(hookMachines(options, async () => printed).list({ signal })).rejects.toThrow(/list hook/)
    },
  )

  test('each is ended by the hook of its group', async () => {
    const runHook = vi.fn<RunVmmHook>(async () => '')
    const machine = { name: 'b', ip: '10.0.0.1', group: 1, createdAt: null, inError: true }
    await hookMachines(options, runHook).destroy(machine, { signal })
    expect(runHook.mock.calls.map(([command]) => command)).toEqual([['/bin/true', 'b']])
  })
})
