import { describe, expect, test } from 'vitest'

import { openMemoryPool } from '../memory/store.ts'
import { inLab } from '../testing/lab.ts'
import { requireVisibleGroup } from './visible-group.ts'

async function memory() {
  return { open: async () => openMemoryPool(), [Symbol.asyncDispose]: async () => {} }
}

const tenant = (name: string) => ({ isAdmin: false, tenant: name, actor: name })

describe('C15 whom a group is no secret to', () => {
  test(
    'C15 whoever has a machine there, in whatever state: also one that refuses to end and counts against no limit',
    inLab(memory, async (lab) => {
      const { vm } = (await lab.ready(1), await lab.take({ owner: 'bob' }))
      const by = { operator: true, force: true } as const
      await lab.store.terminate({ names: [vm.name], by, reason: 'hangs', now: lab.now })
      await lab.store.markStuck({ name: vm.name, now: lab.now, fence: null })
      await expect(lab.state(vm.name)).resolves.toBe('stuck')
      await expect(requireVisibleGroup(lab.store, tenant('bob'), 'g')).resolves.toBeUndefined()
      for (const [who, group] of [
        ['eve', 'g'],
        ['bob', 'other'],
      ] as const) {
        await expect(requireVisibleGroup(lab.store, tenant(who), group)).rejects.toMatchObject({
          code: 'MS_POOL_GROUP_NOT_FOUND',
        })
      }
    }),
  )
})
