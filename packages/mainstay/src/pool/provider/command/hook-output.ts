import { isIP } from 'node:net'

import { InvalidInputError, MainstayError } from '../../../core/errors.ts'
import { isJsonObject, parseJson, type JsonObject } from '../../../core/json.ts'

/** A hook ended well but did not say which machine it made. */
export class HookOutputError extends MainstayError {
  readonly code = 'MS_HOOK_OUTPUT'
  readonly status = 502
  readonly retryable = true
  readonly output: string

  constructor(what: string, output: string) {
    super(
      `The hook's output names no machine: ${what}. It must print IP=<address> and vm_name=<name>, or one JSON object ` +
        `with vm_ip and vm_name as its last line.`,
    )
    this.output = output
  }
}

/** What a create hook says of the machine that it made. */
export interface PrintedMachine {
  readonly name: string
  /** The provider's identifier, where it is told apart from the name. */
  readonly id: string | undefined
  readonly address: string
  readonly data: JsonObject
}

/** A value ends where quotes, braces, a backslash or the line do: playbooks print it inside of JSON. */
const ADDRESS = /IP=([^{}"\\\n]+)/
const NAME = /vm_name=([^{}"\\\n]+)/

/**
 * Reads what a create hook printed: JSON on the last line, or `IP=` and `vm_name=` anywhere, the first of each.
 *
 * Source: vm-pool.md A8.
 *
 * @throws HookOutputError
 */
export function readPrintedMachine(output: string): PrintedMachine {
  if (output.trim() === '') throw new HookOutputError('no result', output)
  const json = lastLineObject(output)
  const data = json?.['data']
  const address = textOf(json?.['vm_ip']) ?? ADDRESS.exec(output)?.[1]?.trim()
  const name = textOf(json?.['vm_name']) ?? NAME.exec(output)?.[1]?.trim()
  if (address === undefined || address === '') throw new HookOutputError('no IP in the result', output)
  if (name === undefined || name === '') throw new HookOutputError('no vm_name in the result', output)
  if (isIP(address) === 0) throw new HookOutputError(`invalid IP "${address}"`, output)
  return { name, id: textOf(json?.['id']), address, data: isJsonObject(data) ? data : {} }
}

/** The identifier, or else the name, of a machine that a hook may have half made, from whatever it printed. */
export function findPrintedId(output: string): string | undefined {
  const json = lastLineObject(output)
  const id = textOf(json?.['id']) ?? textOf(json?.['vm_name']) ?? NAME.exec(output)?.[1]?.trim()
  return id === '' ? undefined : id
}

/** The address in it, valid or not. */
export function findPrintedAddress(output: string): string | undefined {
  return textOf(lastLineObject(output)?.['vm_ip']) ?? ADDRESS.exec(output)?.[1]?.trim()
}

/** The JSON object on the last line that is not empty, if there is one. */
export function lastLineObject(output: string): JsonObject | undefined {
  const line = output.trimEnd().split('\n').at(-1)?.trim() ?? ''
  if (!line.startsWith('{')) return undefined
  try {
    const value = parseJson(line, "The last line of a hook's output")
    return isJsonObject(value) ? value : undefined
  } catch (error) {
    // A brace in plain text; it is read as text then.
    if (error instanceof InvalidInputError) return undefined
    throw error
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
