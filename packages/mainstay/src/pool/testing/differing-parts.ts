import { toJson } from '../../core/json.ts'

/** Where two values part: `vms.3.state: "ready", expected "in_use"`. */
export function differingParts(found: unknown, expected: unknown, path = ''): string[] {
  if (Object.is(found, expected)) return []
  if (isRecord(found) && isRecord(expected)) {
    return [...new Set([...Object.keys(found), ...Object.keys(expected)])].flatMap((key) =>
      differingParts(found[key], expected[key], path === '' ? key : `${path}.${key}`),
    )
  }
  return [`${path}: ${toJson(found)}, expected ${toJson(expected)}`]
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
