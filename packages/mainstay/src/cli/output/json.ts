import { isJsonObject, toJson, type Json } from '../../core/json.ts'
import type { Sheet } from './view.ts'

/** Prints a list of objects, or with `single` the first one alone. */
export function renderJson(sheet: Sheet, options: { single: boolean; indent: boolean }): string {
  const objects = sheet.rows.map((row) =>
    Object.fromEntries(sheet.columns.map((name, at) => [name, row[at] ?? null] as const)),
  )
  const value: Json = options.single ? (objects[0] ?? null) : objects
  return `${options.indent ? indented(value) : toJson(value)}\n`
}

/** JSON over several lines, two blanks per level. */
export function indented(value: Json, margin = ''): string {
  const inner = `${margin}  `
  const [open, close, parts] = Array.isArray(value)
    ? ['[', ']', value.map((item: Json) => indented(item, inner))]
    : isJsonObject(value)
      ? ['{', '}', Object.entries(value).map(([name, member]) => `${toJson(name)}: ${indented(member, inner)}`)]
      : ['', '', undefined]
  if (parts === undefined) return toJson(value)
  if (parts.length === 0) return `${open}${close}`
  return `${open}\n${parts.map((part) => inner + part).join(',\n')}\n${margin}${close}`
}
