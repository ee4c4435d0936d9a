/** What a page keeps for the test that looks at it. */
export interface Shown {
  readonly seqs: number[]
  readonly states: string[]
}

/** What the page's address says. */
export const asked = new URLSearchParams((globalThis as unknown as { location: { search: string } }).location.search)

export const shown: Shown = { seqs: [], states: [] }
Object.assign(globalThis, { shown })
