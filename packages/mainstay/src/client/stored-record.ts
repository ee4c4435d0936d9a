/** What every record of the v1 API carries. Times are UTC without a zone suffix. Source: ha-api.md 5.2. */
export interface StoredRecord {
  readonly id: number
  readonly created_at: string
  readonly updated_at: string | null
  readonly deleted_at: string | null
  readonly deleted: boolean
}
