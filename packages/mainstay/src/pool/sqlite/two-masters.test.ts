import { twoMasters } from '../testing/two-masters.ts'
import { sqlitePlace } from './testing/sqlite-place.ts'

twoMasters('SQLite, two connections to one file', sqlitePlace)
