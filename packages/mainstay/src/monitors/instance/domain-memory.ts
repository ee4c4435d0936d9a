import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

import { InvalidInputError, errorCode } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import { makeDirectory } from '../../core/make-directory.ts'
import { isJsonObject, parseJson, toJson, type Json, type JsonObject } from '../../core/json.ts'
import { formatZulu, parseTimestamp } from '../../core/timestamp.ts'
import type { KnownDomain } from './known-domain.ts'

/** What the monitor knew when it last wrote it down. */
export interface DomainMemory {
  /** Undefined when nothing was ever written. Throws InvalidInputError when what was written cannot be understood. */
  load(): Promise<ReadonlyMap<string, KnownDomain> | undefined>
  /** Replaces all of it at once: afterwards, or after a crash, either the old or the new is there. */
  save(domains: ReadonlyMap<string, KnownDomain>): Promise<void>
}

/** A memory that cannot be understood is no memory: the next comparison starts a new one. */
export async function remembered(
  memory: DomainMemory,
  logger: Logger,
): Promise<ReadonlyMap<string, KnownDomain> | undefined> {
  try {
    return await memory.load()
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error
    const text = 'What was known of the guests cannot be read; ends that nobody has seen until now are not told'
    logger.error({ err: error }, text)
    return undefined
  }
}

/** A file that is only ever replaced as a whole. Source: monitors.md 7.5. */
export class DomainMemoryFile implements DomainMemory {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  async load(): Promise<ReadonlyMap<string, KnownDomain> | undefined> {
    try {
      return decodeMemory(await readFile(this.#path, 'utf8'), this.#path)
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined
      throw error
    }
  }

  async save(domains: ReadonlyMap<string, KnownDomain>): Promise<void> {
    makeDirectory(dirname(this.#path), 0o700)
    const written = `${this.#path}.new`
    await writeDurably(written, encodeMemory(domains))
    await rename(written, this.#path)
    await syncDirectory(dirname(this.#path))
  }
}

export function encodeMemory(domains: ReadonlyMap<string, KnownDomain>): string {
  const entries = [...domains].map(([uuid, { sinceMs, ...known }]) => [uuid, { ...known, since: formatZulu(sinceMs) }])
  return toJson({ version: 1, domains: Object.fromEntries(entries) as JsonObject })
}

/** @throws InvalidInputError when it is not JSON; a domain that cannot be understood is left out */
export function decodeMemory(text: string, path: string): ReadonlyMap<string, KnownDomain> {
  const value = parseJson(text, path)
  const domains = isJsonObject(value) ? value['domains'] : undefined
  const memory = new Map<string, KnownDomain>()
  for (const [uuid, domain] of Object.entries(isJsonObject(domains) ? domains : {})) {
    const known = readDomain(domain)
    if (known !== undefined) memory.set(uuid, known)
  }
  return memory
}

function readDomain(value: Json): KnownDomain | undefined {
  if (!isJsonObject(value)) return undefined
  const { name, state, reason, since, persistent, incoming, pauseTold, instanceUuid } = value
  const sinceMs = typeof since === 'string' ? parseTimestamp(since) : undefined
  if (typeof name !== 'string' || typeof state !== 'number' || typeof reason !== 'number') return undefined
  if (typeof persistent !== 'boolean' || typeof incoming !== 'boolean' || sinceMs === undefined) return undefined
  return {
    name,
    state,
    reason,
    sinceMs,
    persistent,
    incoming,
    pauseTold: text(pauseTold),
    instanceUuid: text(instanceUuid),
  }
}

function text(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null
}

async function writeDurably(path: string, content: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
