import { isJsonObject, type Json } from '../core/json.ts'
import { UnexpectedAnswerError } from './errors.ts'
import type { Answer } from './transport.ts'

/**
 * Takes the record out of its wrapper: `{"segment": {…}}`.
 *
 * Its members are not checked one by one: releases of the reference differ in them (ha-api.md 25).
 *
 * @throws UnexpectedAnswerError when there is no such record
 */
export function unwrapRecord(answer: Answer, wrapper: string, call: string): unknown {
  const record = member(answer.body, wrapper)
  if (!isJsonObject(record)) throw new UnexpectedAnswerError(call, `it has no object "${wrapper}"`)
  return record
}

/**
 * Takes a record that has no wrapper, as the native API gives it.
 *
 * @throws UnexpectedAnswerError when the answer is no object
 */
export function unwrapBare(answer: Answer, call: string): unknown {
  if (!isJsonObject(answer.body)) throw new UnexpectedAnswerError(call, 'it is no object')
  return answer.body
}

/**
 * Takes the records out of their wrapper: `{"segments": [{…}, …]}`.
 *
 * @throws UnexpectedAnswerError when there is no such list
 */
export function unwrapList(answer: Answer, wrapper: string, call: string): unknown[] {
  const list: unknown = member(answer.body, wrapper)
  if (!Array.isArray(list) || !list.every(isJsonObject)) {
    throw new UnexpectedAnswerError(call, `it has no list "${wrapper}" of objects`)
  }
  return list
}

function member(body: Json | undefined, name: string): Json | undefined {
  return isJsonObject(body) ? body[name] : undefined
}
