import { Compile } from 'typebox/compile'

import { isJsonObject, type Json, type JsonObject } from '../../packages/mainstay/src/core/json.ts'

/** One answer of a server. */
export interface Answered {
  readonly method: string
  /** With or without a query. */
  readonly path: string
  readonly status: number
  readonly contentType: string
  /** Parsed where it is JSON, otherwise the text. */
  readonly body: Json
}

/**
 * Compares answers with an OpenAPI document, and remembers which operations were seen to succeed.
 *
 * The document may be a part of what a server serves: answers of other paths are refused.
 */
export class AnswerChecker {
  readonly #document: JsonObject
  readonly #succeeded = new Set<string>()

  constructor(document: JsonObject) {
    this.#document = document
  }

  /** Every operation as `GET /path/{id}`. */
  get operations(): string[] {
    return Object.entries(objectAt(this.#document, 'paths')).flatMap(([path, item]) =>
      Object.keys(isJsonObject(item) ? item : {}).map((method) => `${method.toUpperCase()} ${path}`),
    )
  }

  /** Operations of which no success was checked. */
  get unseen(): string[] {
    return this.operations.filter((operation) => !this.#succeeded.has(operation))
  }

  /** @returns what is not as the document says; empty when all is */
  problems({ method, path, status, contentType, body }: Answered): string[] {
    const template = this.#templateOf(path)
    if (template === undefined) return [`${path} is not described`]
    const operation = objectAt(objectAt(objectAt(this.#document, 'paths'), template), method.toLowerCase())
    const responses = objectAt(operation, 'responses')
    const answer = responses[String(status)] ?? responses['default']
    const name = `${method} ${template} ${status}`
    if (!isJsonObject(answer)) return [`${name} is not described`]
    if (status < 300) this.#succeeded.add(`${method} ${template}`)
    const { content } = answer
    if (content === undefined) return []
    const type = contentType.split(';', 1)[0] ?? ''
    const described = isJsonObject(content) ? content[type] : undefined
    if (!isJsonObject(described)) return [`${name} is ${type}, which is not described`]
    return this.#mismatches(objectAt(described, 'schema'), body).map((problem) => `${name}: ${problem}`)
  }

  #mismatches(schema: JsonObject, body: Json): string[] {
    const validator = Compile(this.#resolved(schema) as JsonObject)
    if (validator.Check(body)) return []
    return validator.Errors(body).map(({ instancePath, message }) => `${instancePath} ${message}`)
  }

  /** The schema with what it refers to in its place. */
  #resolved(value: Json): Json {
    if (Array.isArray(value)) return value.map((each: Json) => this.#resolved(each))
    if (!isJsonObject(value)) return value
    const { $ref } = value
    if (typeof $ref !== 'string') {
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.#resolved(member)]))
    }
    return this.#resolved($ref.slice('#/'.length).split('/').reduce<JsonObject>(objectAt, this.#document))
  }

  /** The path of the document that an address belongs to; one without parameters goes before one with. */
  #templateOf(address: string): string | undefined {
    const [path = ''] = address.split('?')
    const fitting = Object.keys(objectAt(this.#document, 'paths')).filter((template) =>
      new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
    )
    return fitting.find((template) => template === path) ?? fitting[0]
  }
}

function objectAt(parent: JsonObject, name: string): JsonObject {
  const child = parent[name]
  if (!isJsonObject(child)) throw new Error(`The document has no ${name} where it is needed.`)
  return child
}
