import { firstClaimConformance } from '../../packages/mainstay/src/journal/testing/first-claim-conformance.ts'
import { PostgresJournal } from './support/postgres-journal.ts'
import { usePostgres } from './support/shared-postgres.ts'

const database = usePostgres()

firstClaimConformance(async (ctx) => await PostgresJournal.open(await database(ctx)))
