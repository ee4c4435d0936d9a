import { asideCases } from './testing/aside-cases.ts'
import type { PoolFactory } from './testing/lab.ts'
import { leaseCases } from './testing/lease-cases.ts'
import { lifeCases } from './testing/life-cases.ts'
import { masterCases } from './testing/master-cases.ts'
import { queueCases } from './testing/queue-cases.ts'
import { useCases } from './testing/use-cases.ts'

/** What every driver of the pool does. */
export function poolStoreConformance(name: string, factory: PoolFactory): void {
  useCases(name, factory)
  leaseCases(name, factory)
  queueCases(name, factory)
  lifeCases(name, factory)
  asideCases(name, factory)
  masterCases(name, factory)
}
