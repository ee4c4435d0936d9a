/** Whether the victim passes when only these tests run before it. */
export type Trial = (before: readonly string[]) => Promise<boolean>

export interface Verdict {
  /** What the victim does alone, and with all tests before it. */
  readonly alone: boolean
  readonly withAll: boolean
  /** The fewest tests found that change it: usually one. Empty when nothing before it changes the victim. */
  readonly polluters: readonly string[]
  readonly runs: number
}

/**
 * Finds which earlier tests make a test pass or fail, by halving: keep the half that still changes the outcome, and when
 * neither half does alone, thin both out (delta debugging). Runs about `2 log2 n` trials for one polluter.
 */
export async function findPolluters(before: readonly string[], trial: Trial): Promise<Verdict> {
  let runs = 0
  const run = async (tests: readonly string[]): Promise<boolean> => {
    runs += 1
    return trial(tests)
  }
  const alone = await run([])
  const withAll = await run(before)
  if (alone === withAll) return { alone, withAll, polluters: [], runs }
  let suspects = [...before]
  let parts = 2
  while (suspects.length > 1) {
    const size = Math.ceil(suspects.length / parts)
    const chunks = Array.from({ length: Math.ceil(suspects.length / size) }, (_, at) =>
      suspects.slice(at * size, (at + 1) * size),
    )
    const smaller = await firstThat(chunks, async (chunk) => (await run(chunk)) === withAll)
    if (smaller) {
      suspects = smaller
      parts = 2
      continue
    }
    const rests = chunks.length > 2 ? chunks.map((chunk) => suspects.filter((test) => !chunk.includes(test))) : []
    const rest = await firstThat(rests, async (one) => (await run(one)) === withAll)
    if (rest) {
      suspects = rest
      parts = Math.max(parts - 1, 2)
    } else if (parts >= suspects.length) break
    else parts = Math.min(parts * 2, suspects.length)
  }
  return { alone, withAll, polluters: suspects, runs }
}

async function firstThat<T>(items: readonly T[], accepts: (item: T) => Promise<boolean>): Promise<T | undefined> {
  for (const item of items) if (await accepts(item)) return item
  return undefined
}
