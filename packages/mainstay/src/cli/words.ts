import { oneOf } from './one-of.ts'

/** A flag that takes several words with commas between. */
export function wordsFlag<const Placeholder extends string>(placeholder: Placeholder, brief: string) {
  return { kind: 'parsed', parse: parseWords, placeholder, brief, optional: true } as const
}

/** The same where only some words are meant. */
export function choicesFlag<const Placeholder extends string, const Word extends string>(
  placeholder: Placeholder,
  brief: string,
  words: readonly Word[],
) {
  const { parse } = oneOf(words)
  return { ...wordsFlag(placeholder, brief), parse: (text: string): readonly Word[] => parseWords(text).map(parse) }
}

function parseWords(text: string): readonly string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}
