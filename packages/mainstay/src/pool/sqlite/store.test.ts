import { poolStoreConformance } from '../conformance.ts'
import { poolStoreProperty } from '../property.ts'
import { sqlitePlace } from './testing/sqlite-place.ts'

poolStoreConformance('SQLite', sqlitePlace)
poolStoreProperty('SQLite', sqlitePlace, { operations: 10_000 })
