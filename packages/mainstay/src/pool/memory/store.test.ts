import { poolStoreConformance } from '../conformance.ts'
import { poolStoreProperty } from '../property.ts'
import type { PoolPlace } from '../testing/lab.ts'
import { PoolMemory, openMemoryPool } from './store.ts'

async function place(): Promise<PoolPlace> {
  const memory = new PoolMemory()
  return { open: async () => openMemoryPool({ memory }), [Symbol.asyncDispose]: async () => {} }
}

poolStoreConformance('memory', place)
poolStoreProperty('memory', place, { operations: 10_000 })
