import { UsageError } from './errors.ts'

/** How one of several words is read, and completed. */
export function oneOf<const Word extends string>(words: readonly Word[]) {
  return {
    parse: (text: string): Word => {
      const found = words.find((word) => word === text)
      if (found === undefined) throw new UsageError(`"${text}" is none of ${words.join(', ')}.`)
      return found
    },
    proposeCompletions: (partial: string): readonly string[] => words.filter((word) => word.startsWith(partial)),
  } as const
}
