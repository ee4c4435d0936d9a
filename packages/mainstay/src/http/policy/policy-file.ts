import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { parse } from 'yaml'

import { errorCode, errorMessage } from '../../core/errors.ts'
import type { Check } from './check.ts'
import { parseRule, PolicySyntaxError } from './parse.ts'

export interface PolicyPaths {
  /** [oslo_policy] policy_file; may be missing. */
  readonly file: string | null
  /** [oslo_policy] policy_dirs; their files come after `file`, in alphabetical order. */
  readonly directories: readonly string[]
}

/** A text that differs whenever the rules may differ. */
export function fingerprint(paths: PolicyPaths): string {
  return policyFiles(paths)
    .map((path) => {
      const stat = statOf(path)
      return stat === undefined ? `${path}:-` : `${path}:${stat.mtimeMs}:${stat.size}:${stat.ino}`
    })
    .join('\n')
}

/**
 * All rules of the files; a later file's rule replaces an earlier one's.
 *
 * @throws PolicySyntaxError naming the file
 */
export function readPolicyFiles(paths: PolicyPaths): Map<string, Check> {
  const rules = new Map<string, Check>()
  for (const path of policyFiles(paths)) {
    const text = contentsOf(path)
    if (text === undefined) continue
    for (const [name, check] of rulesOf(text, path)) rules.set(name, check)
  }
  return rules
}

function policyFiles({ file, directories }: PolicyPaths): string[] {
  const inDirectories = directories.flatMap((directory) =>
    listDirectory(directory)
      .filter((name) => !name.startsWith('.') && /\.(?:ya?ml|json)$/.test(name))
      .sort()
      .map((name) => join(directory, name)),
  )
  return [...(file === null ? [] : [file]), ...inDirectories]
}

function rulesOf(text: string, path: string): [string, Check][] {
  try {
    const document: unknown = parse(text)
    if (document === null) return []
    if (typeof document !== 'object' || Array.isArray(document)) {
      throw new PolicySyntaxError('It must be a mapping of rule names to rules.')
    }
    return Object.entries(document).map(([name, rule]) => [name, parseRule(rule)])
  } catch (error) {
    throw new PolicySyntaxError(`The policy file ${path} cannot be used: ${errorMessage(error)}`, { cause: error })
  }
}

function contentsOf(path: string): string | undefined {
  return unlessMissing(() => readFileSync(path, 'utf8'))
}

function listDirectory(path: string): string[] {
  return unlessMissing(() => readdirSync(path)) ?? []
}

function statOf(path: string): { mtimeMs: number; size: number; ino: number } | undefined {
  return unlessMissing(() => statSync(path))
}

function unlessMissing<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}
