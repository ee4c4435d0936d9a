/** The names that testkit.md A3.1 calls secret. */
const secretName = /pass|secret|token|key/i
/**
 * Names of which everything below is secret: `passwords: { alice }`, `apiKeys: []`. Narrower than the names of single
 * values: a section `keystone` has addresses and user names in it, which people need to see.
 */
const secretSection = /(?:pass(?:word|phrase|wd)?|secret|token|key)s?$/i
const mask = '***'
/** Shorter values are left to the rules by name: hiding every "1" of a text would hide the text. */
const shortestSecret = 4
/** What an environment writes for a switch: `USE_TOKENS=false`. Hiding it would hide every such word of a text. */
const switchWord = /^(?:true|false|none|null)$/i

/**
 * Hides secrets in configuration files: whatever stands after or below a key that sounds secret, and what
 * {@link maskOutput} hides. Source: testkit.md A3.1.
 */
export function maskSecrets(text: string, secrets: Iterable<string> = []): string {
  return maskBlocks(maskOutput(text, secrets))
    .replaceAll(
      /("[\w.-]*(?:pass(?:word|phrase|wd)?|secret|token|key)s?"\s*:\s*)(?:\[[^\]]*\]|\{[^}]*\})/gi,
      `$1"${mask}"`,
    )
    .replaceAll(
      /("[\w.-]*(?:pass|secret|token|key)[\w.-]*"\s*:\s*)(?:"(?:[^"\\]|\\.)*"|[^\s,}\]"{[]+)/gi,
      `$1"${mask}"`,
    )
    .replaceAll(
      /^([ \t"']*[\w.-]*(?:pass|secret|token|key)[\w.-]*["']?[ \t]*[:=][ \t]*)(?![{[]$)\S[^\n]*$/gim,
      `$1${mask}`,
    )
}

/**
 * Hides secrets in what programs say and in how they were called: the given ones, and without knowing any: passwords in
 * URLs, and arguments such as `--token=…`. Other lines stay as they are, whatever words are in them.
 */
export function maskOutput(text: string, secrets: Iterable<string> = []): string {
  let masked = text
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) masked = masked.replaceAll(secret, mask)
  return masked
    .replaceAll(/([a-z][a-z0-9+.-]{0,20}:\/\/[^\s:/@]*):[^\s/@]+@/gi, `$1:${mask}@`)
    .replaceAll(/((?:^|[ \t])-{0,2}[\w.-]*(?:pass|secret|token|key)[\w.-]*=)\S+/gim, `$1${mask}`)
    .replaceAll(/([ \t]--?[\w.-]*(?:pass|secret|token|key)[\w.-]*[ \t]+)(?!-)\S+/gim, `$1${mask}`)
}

/** Values under secret names, at any depth, in all the forms in which they may stand in a text. */
export function secretsIn(value: unknown, name = '', below = false): string[] {
  if (typeof value === 'string') return below || secretName.test(name) ? formsOf(value) : []
  if (typeof value !== 'object' || value === null) return []
  const section = below || secretSection.test(name)
  return Object.entries(value).flatMap(([key, part]) => secretsIn(part, key, section))
}

/** Whether a name ends with a word for a secret. */
export function endsSecret(name: string): boolean {
  return secretSection.test(name)
}

/** As it is, escaped in JSON, escaped in a URL, and line by line, as YAML writes a long one. */
function formsOf(value: string): string[] {
  if (switchWord.test(value)) return []
  const lines = value.includes('\n') ? value.split('\n').map((line) => line.trim()) : []
  const forms = [value, JSON.stringify(value).slice(1, -1), escapedForUrl(value), ...lines]
  return forms.filter((form) => form.length >= shortestSecret)
}

/** Half of a surrogate pair has no such form. */
function escapedForUrl(value: string): string {
  return encodeURIComponent(value.toWellFormed())
}

/** What YAML and its like write below a name of which everything is secret: deeper lines, and the items of a list. */
function maskBlocks(text: string): string {
  const kept: string[] = []
  let hidden: number | undefined
  for (const line of text.split('\n')) {
    const depth = line.search(/\S/)
    if (hidden !== undefined && (depth < 0 || depth > hidden || (depth === hidden && line.trim().startsWith('- '))))
      continue
    const name = /^[ \t]*(?:- )?["']?([\w.-]+)["']?:[ \t]*(?:[|>][+-]?)?[ \t]*$/.exec(line)?.[1]
    hidden = name !== undefined && secretSection.test(name) ? depth : undefined
    kept.push(hidden === undefined ? line : `${line.slice(0, line.lastIndexOf(':'))}: ${mask}`)
  }
  return kept.join('\n')
}
