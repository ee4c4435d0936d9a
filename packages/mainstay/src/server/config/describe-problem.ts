import { isJsonObject, type Json } from '../../core/json.ts'
import { nearestName } from '../../monitors/index.ts'

/** What TypeBox says of a value that does not fit. */
export interface SchemaProblem {
  readonly keyword: string
  /** JSON pointer to the value. */
  readonly instancePath: string
  readonly message: string
  readonly params: object
}

/**
 * The first thing that is wrong with a configuration, in words that name the option as a person writes it.
 *
 * @param schema the schema that it was checked against, for the names that exist
 */
export function describeProblem(problems: readonly SchemaProblem[], schema: object): string | undefined {
  // A name that does not exist first: it is why another is missing.
  const first = problems.find(({ keyword }) => keyword === 'boolean') ?? problems[0]
  if (first === undefined) return undefined
  const path = first.instancePath.split('/').slice(1)
  const option = path.join('.') || 'the configuration'
  const allowed = problems
    .filter(({ instancePath, keyword }) => instancePath === first.instancePath && keyword === 'const')
    .map(({ params }) => String((params as { allowedValue?: unknown }).allowedValue))
  if (allowed.length > 0) return `The option ${option} must be one of ${allowed.join(', ')}.`
  if (first.keyword !== 'boolean') return `The option ${option} is wrong: ${first.message}.`
  const names = namesAt(schema as Json, path.slice(0, -1))
  const meant = nearestName(path.at(-1) ?? '', names)
  const hint = meant === undefined ? '' : ` Did you mean ${[...path.slice(0, -1), meant].join('.')}?`
  return `There is no option ${option}.${hint}`
}

/** The names of the options that the schema has at a place. */
function namesAt(schema: Json, path: readonly string[]): string[] {
  let at: Json | undefined = schema
  for (const name of path) {
    if (at === undefined || !isJsonObject(at)) return []
    const properties: Json | undefined = at['properties']
    at = properties !== undefined && isJsonObject(properties) ? properties[name] : at['items']
  }
  const properties = at !== undefined && isJsonObject(at) ? at['properties'] : undefined
  return properties !== undefined && isJsonObject(properties) ? Object.keys(properties) : []
}
