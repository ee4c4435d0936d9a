/** The name that was probably meant: the one with the fewest letters to change, if that is less than half of them. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const distances = names.map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
  const [best] = distances.sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance < name.length / 2 ? best.candidate : undefined
}

/** How many letters have to be added, taken away or changed to make one text of the other (Levenshtein). */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let index = 0; index < from.length; index += 1) {
    const letter = from.charAt(index)
    const next = [index + 1]
    for (let column = 1; column <= to.length; column += 1) {
      const changed = row[column - 1]! + (letter === to.charAt(column - 1) ? 0 : 1)
      next.push(Math.min(changed, row[column]! + 1, next[column - 1]! + 1))
    }
    row = next
  }
  return row[to.length]!
}
