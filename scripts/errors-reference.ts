import { globSync, readFileSync } from 'node:fs'

import { readSource } from '../test/support/source-text.ts'

/** One error of the product, as its class declares it. */
export interface ErrorEntry {
  readonly name: string
  readonly path: string
  readonly code: string
  /** Undefined when each instance has its own. */
  readonly status: string | undefined
  readonly retryable: string | undefined
  readonly text: string
}

interface ErrorClass {
  readonly name: string
  readonly parent: string
  readonly path: string
  readonly abstract: boolean
  readonly text: string
  readonly members: ReadonlyMap<string, string>
}

const BASE = 'MainstayError'
const CLASS = /^(?:export\s+)?(abstract\s+)?class\s+(\w+)\s+extends\s+(\w+)[^{]*\{/gm
const MEMBER = /^\s*(?:override\s+)?readonly\s+(code|status|retryable)(?:\s*:[^=\n]+)?(?:\s*=\s*([^\n]+))?$/gm

/**
 * The errors that the sources declare: every class below `MainstayError` that is not abstract, sorted by code.
 *
 * @param root the directory of the repository, ending with a slash
 * @throws Error when a class lacks a code of its own or a comment that says what it means
 */
export function readErrors(root: string): ErrorEntry[] {
  const paths = globSync('packages/mainstay/src/**/*.ts', { cwd: root, exclude: ['**/testing/**', '**/*.test.ts'] })
  return errorEntries(paths.sort().map((path) => ({ path, text: readFileSync(root + path, 'utf8') })))
}

export function errorEntries(files: readonly { path: string; text: string }[]): ErrorEntry[] {
  const found = files.flatMap(classesOf).filter((each) => each.name !== BASE)
  const classes = new Map(found.map((each) => [each.name, each]))
  const lineage = (each: ErrorClass | undefined): ErrorClass[] =>
    each === undefined ? [] : [each, ...lineage(classes.get(each.parent))]
  /** A class without a code of its own is a kind of the error it extends, and meant by that one's entry. */
  const isKindOfAnother = (each: ErrorClass): boolean =>
    !each.members.has('code') && lineage(each).some((ancestor) => ancestor.members.has('code') && !ancestor.abstract)
  return found
    .filter((each) => !each.abstract && lineage(each).at(-1)?.parent === BASE && !isKindOfAnother(each))
    .map((each) => {
      const member = (name: string): string | undefined =>
        lineage(each).flatMap((ancestor) => ancestor.members.get(name) ?? [])[0]
      const code = /^'(MS_[A-Z0-9_]+)'$/.exec(member('code') ?? '')?.[1]
      if (code === undefined) throw new Error(`${each.path}: ${each.name} has no code of the form 'MS_…'`)
      if (each.text === '') throw new Error(`${each.path}: ${each.name} has no comment that says what it means`)
      const literal = (name: string): string | undefined => /^(?:\d+|true|false)$/.exec(member(name) ?? '')?.[0]
      const { name, path, text } = each
      return { name, path, code, text, status: literal('status'), retryable: literal('retryable') }
    })
    .sort((a, b) => (a.code < b.code ? -1 : 1))
}

function classesOf({ path, text }: { path: string; text: string }): ErrorClass[] {
  const { code, comments } = readSource(text)
  return [...code.matchAll(CLASS)].map((match) => {
    const [head, abstract, name, parent] = match
    const end = code.indexOf('\n}', match.index + head.length)
    // The values are texts, which the code view leaves out: take them from the source at the same place.
    const body = text.slice(match.index + head.length, end === -1 ? undefined : end)
    const comment = comments.findLast(
      (piece) => piece.start < match.index && text.slice(piece.start + piece.text.length, match.index).trim() === '*/',
    )
    return {
      name: name!,
      parent: parent!,
      path,
      abstract: abstract !== undefined,
      text: prose(comment?.text ?? ''),
      members: new Map([...body.matchAll(MEMBER)].map(([, member, value]) => [member!, (value ?? '').trim()])),
    }
  })
}

/** The text of a documentation comment on one line per paragraph. */
function prose(comment: string): string {
  return comment
    .replace(/^\*/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\*? ?/, '').trim())
    .join('\n')
    .replaceAll(/\{@link ([^}]+)\}/g, '`$1`')
    .replaceAll(/([^\n])\n(?=[^\n])/g, '$1 ')
    .trim()
}

/** The page `docs/reference/errors.md`. */
export function errorsPage(entries: readonly ErrorEntry[]): string {
  const sections = entries.map(({ name, path, code, status, retryable, text }) => {
    const facts = [
      `\`${name}\``,
      status === undefined ? 'HTTP status of the answer it stands for' : `HTTP ${status}`,
      retryable === undefined
        ? 'a retry may help'
        : retryable === 'true'
          ? 'a retry can help'
          : 'a retry does not help',
    ]
    return `## ${code}\n\n${text}\n\n${facts.join(', ')}. Declared in \`${path}\`.\n`
  })
  return [
    '# Errors\n',
    'Every error that Mainstay throws on purpose, by its code. A code never changes once published; the text of an error may.',
    '"A retry can help" means: the same call may succeed later without anybody changing anything.\n',
    '<!-- Generated by scripts/generate-errors.ts from the classes; edit the comments there. -->\n',
    sections.join('\n'),
  ].join('\n')
}
