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

/** A text that differs whenever the rules may differ. What cannot be looked at is in it with the reason. */
export function fingerprint(paths: PolicyPaths): string {
  return orReason(() =>
    policyFiles(paths)
      .map((path) => `${path}:${orReason(() => stampOf(path))}`)
      .join('\n'),
  )
}

/**
 * All rules of the files; a later file's rule replaces an earlier one's.
 *
 * @throws PolicySyntaxError naming the file or directory
 */
export function readPolicyFiles(paths: PolicyPaths): Map<string, Check> {
  const rules = new Map<string, Check>()
  for (const path of policyFiles(paths)) {
    for (const [name, check] of rulesOf(path)) rules.set(name, check)
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

function rulesOf(path: string): [string, Check][] {
  try {
    const document: unknown = parse(unlessMissing(() => readFileSync(path, 'utf8')) ?? '')
    if (document === null) return []
    if (typeof document !== 'object' || Array.isArray(document)) {
      throw new PolicySyntaxError('It must be a mapping of rule names to rules.')
    }
    return Object.entries(document).map(([name, rule]) => [name, parseRule(rule)])
  } catch (error) {
    throw new PolicySyntaxError(`The policy file ${path} cannot be used: ${errorMessage(error)}`, { cause: error })
  }
}

function listDirectory(path: string): string[] {
  try {
    return unlessMissing(() => readdirSync(path)) ?? []
  } catch (error) {
    throw new PolicySyntaxError(`The policy directory ${path} cannot be read: ${errorMessage(error)}`, { cause: error })
  }
}

function stampOf(path: string): string {
  const stat = unlessMissing(() => statSync(path))
  return stat === undefined ? '-' : `${stat.mtimeMs}:${stat.size}:${stat.ino}`
}

function orReason(work: () => string): string {
  try {
    return work()
  } catch (error) {
    return errorMessage(error)
  }
}

function unlessMissing<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}
