import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { TestkitError } from '../errors.ts'
import { removeQuietly, writeFileAtomically } from '../home.ts'
import { pathInside } from '../inside.ts'
import type { KnownSecrets } from './known-secrets.ts'
import { renderTemplate, type Dictionary } from './placeholders.ts'
import { serialise, type ConfigStyle } from './serialise.ts'

/** A rendered file of a server, by its path below `etc`. */
export type RenderedFiles = Readonly<Record<string, string>>

/** One file to render: its name below `etc`, and a template or a value. */
export interface RenderableFile {
  readonly name: string
  readonly style?: ConfigStyle
  readonly content: string | (() => string | object | undefined)
}

/** Renders without writing: an unknown placeholder is found before anything exists. */
export function renderFiles(files: readonly RenderableFile[], dictionary: Dictionary): RenderedFiles {
  const rendered: Record<string, string> = {}
  for (const { name, style = 'plain', content } of files) {
    const value = typeof content === 'string' ? renderTemplate(content, dictionary, { file: name, style }) : content()
    if (value !== undefined) rendered[name] = typeof value === 'string' ? value : serialise(value, name, style)
  }
  return rendered
}

/**
 * Writes the files of this start, each complete from its first moment (mode 0600), keeps the previous content as `*.1`,
 * and removes files of an earlier start that are no longer wanted. Source: testkit.md A3.1.
 *
 * @throws TestkitError TK_BAD_SPEC for a name that leads out of the folder
 */
export function writeConfigFiles(etc: string, rendered: RenderedFiles, previous: RenderedFiles): void {
  for (const [name, text] of Object.entries(rendered)) {
    const path = pathInside(etc, name, 'configuration file')
    mkdirSync(dirname(path), { recursive: true })
    if (existsSync(path)) renameSync(path, `${path}.1`)
    writeFileAtomically(path, text)
  }
  for (const name of Object.keys(previous)) {
    if (Object.hasOwn(rendered, name)) continue
    const path = join(etc, name)
    if (existsSync(path)) renameSync(path, `${path}.1`)
    removeQuietly(path)
  }
}

/** All files under headings, secrets hidden: part of every failure of a start. */
export function describeFiles(rendered: RenderedFiles, secrets: KnownSecrets): string {
  const names = Object.keys(rendered)
  if (names.length === 0) return '(no configuration files)'
  return names.map((name) => `--- ${name}\n${secrets.hideInFile(rendered[name] ?? '')}`).join('\n')
}

/** The text of a template file. Throws TK_DATA_FILE_MISSING. */
export function readTemplate(path: string | URL): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new TestkitError('TK_DATA_FILE_MISSING', `cannot read the template ${String(path)}`, { cause })
  }
}
