import { TestkitError } from './errors.ts'

/**
 * Starts everything after what it depends on, the independent ones side by side.
 *
 * When one fails, nothing new is started; the others are awaited and stay up, so that their logs are complete.
 *
 * @throws TestkitError TK_DEPENDENCY for a cycle (naming it) or an unknown name; TK_BAD_SPEC when none may start at a time;
 * TK_START_FAILED naming the first failure and what was not started. Source: testkit.md A5.5.
 */
export async function startInOrder(
  dependencies: ReadonlyMap<string, readonly string[]>,
  start: (name: string) => Promise<unknown>,
  options: { parallel: number },
): Promise<void> {
  checkGraph(dependencies)
  if (!(options.parallel >= 1)) {
    throw new TestkitError('TK_BAD_SPEC', `parallelStarts cannot be ${options.parallel}: no server would ever start`)
  }
  const waiting = new Map(dependencies)
  const running = new Map<string, Promise<void>>()
  const done = new Set<string>()
  const failures: { name: string; error: unknown }[] = []
  const launch = async (name: string): Promise<void> => {
    try {
      await start(name)
      done.add(name)
    } catch (error) {
      failures.push({ name, error })
    } finally {
      running.delete(name)
    }
  }
  while (failures.length === 0 && waiting.size > 0) {
    for (const [name, needs] of waiting) {
      if (running.size >= options.parallel || !needs.every((need) => done.has(need))) continue
      waiting.delete(name)
      running.set(name, launch(name))
    }
    await Promise.race(running.values())
  }
  await Promise.all(running.values())
  const [failure] = failures
  if (failure === undefined) return
  const rest = [...waiting.keys()]
  const reason = failure.error instanceof Error ? failure.error.message : String(failure.error)
  throw new TestkitError(
    'TK_START_FAILED',
    `server "${failure.name}" did not start; not started after it: ${rest.length === 0 ? 'none' : rest.join(', ')}.\n${reason}`,
    { cause: failure.error },
  )
}

function checkGraph(dependencies: ReadonlyMap<string, readonly string[]>): void {
  const finished = new Set<string>()
  const visit = (name: string, path: readonly string[]): void => {
    if (finished.has(name)) return
    if (path.includes(name)) {
      throw new TestkitError(
        'TK_DEPENDENCY',
        `servers depend on each other in a circle: ${[...path.slice(path.indexOf(name)), name].join(' → ')}`,
      )
    }
    const needs = dependencies.get(name)
    if (needs === undefined) {
      throw new TestkitError(
        'TK_DEPENDENCY',
        `server "${path.at(-1)}" depends on "${name}", which is not part of the cluster`,
      )
    }
    for (const need of needs) visit(need, [...path, name])
    finished.add(name)
  }
  for (const name of dependencies.keys()) visit(name, [])
}
