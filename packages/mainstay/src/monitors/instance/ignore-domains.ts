/**
 * Which domains nobody wants to hear of, by glob patterns on their names: `*`, `?` and `[…]` as in a shell.
 *
 * Source: monitors.md IM-11 (`ignore_domains`).
 */
export function ignoredDomains(patterns: readonly string[]): (name: string) => boolean {
  const expressions = patterns.map(globExpression)
  return (name) => expressions.some((expression) => expression.test(name))
}

function globExpression(pattern: string): RegExp {
  let source = ''
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern.charAt(at)
    const end = character === '[' ? pattern.indexOf(']', at + 2) : -1
    if (end > 0) {
      const inside = pattern.slice(at + 1, end)
      const negated = inside.startsWith('!')
      source += `[${negated ? '^' : ''}${inside.slice(negated ? 1 : 0).replace(/[\\\]^]/g, String.raw`\$&`)}]`
      at = end
    } else if (character === '*') source += '.*'
    else if (character === '?') source += '.'
    else source += character.replace(/[.+^${}()|[\]\\]/, String.raw`\$&`)
  }
  return new RegExp(`^${source}$`, 's')
}
