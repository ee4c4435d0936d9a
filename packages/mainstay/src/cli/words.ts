/** A flag that takes several words with commas between. */
export function wordsFlag<const Placeholder extends string>(placeholder: Placeholder, brief: string) {
  return { kind: 'parsed', parse: parseWords, placeholder, brief, optional: true } as const
}

function parseWords(text: string): readonly string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}
