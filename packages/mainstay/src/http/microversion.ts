import { BadRequestError, VersionNotAcceptableError } from './errors.ts'

/** One version of the HA API, `major.minor`. */
export interface Microversion {
  readonly major: number
  readonly minor: number
}

export const MIN_VERSION: Microversion = { major: 1, minor: 0 }
export const MAX_VERSION: Microversion = { major: 1, minor: 3 }

const SERVICE = 'instance-ha'
/** A service and all that follows it: two words are no version. */
const ENTRY = /^(\S+)\s+(.+)$/s
const SYNTAX = /^([1-9]\d*)\.(0|[1-9]\d*)$/

export function formatVersion({ major, minor }: Microversion): string {
  return `${major}.${minor}`
}

export function isAtLeast(version: Microversion, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor)
}

/**
 * The version a request asks for in `OpenStack-API-Version`. The last of several entries counts. An entry for another service, a bare version and a missing
 * header all mean the oldest version; `latest` means the newest.
 *
 * Source: ha-api.md 3.
 *
 * @throws BadRequestError when the version has not the form `X.Y`; VersionOutOfRangeError when it is not served
 */
export function requestedVersion(header: string | undefined): Microversion {
  const wanted = wantedText(header)
  if (wanted === undefined) return MIN_VERSION
  if (wanted === 'latest') return MAX_VERSION
  const match = SYNTAX.exec(wanted)
  if (match === null) {
    throw new BadRequestError(`API Version String ${wanted} is of invalid format. Must be of format MajorNum.MinorNum.`)
  }
  const version = { major: Number(match[1]), minor: Number(match[2]) }
  if (!isServed(version)) throw new VersionOutOfRangeError(version, wanted)
  return version
}

/** The version is well formed but not served; the answer echoes it. */
export class VersionOutOfRangeError extends VersionNotAcceptableError {
  readonly version: Microversion
  readonly text: string

  constructor(version: Microversion, text: string) {
    super(
      `Version ${text} is not supported by the API. Minimum is ${formatVersion(MIN_VERSION)} and maximum is ${formatVersion(MAX_VERSION)}.`,
    )
    this.version = version
    this.text = text
  }
}

function isServed(version: Microversion): boolean {
  return isAtLeast(version, MIN_VERSION.major, MIN_VERSION.minor) && !isAtLeast(version, 1, MAX_VERSION.minor + 1)
}

function wantedText(header: string | undefined): string | undefined {
  // Whoever stands behind others on the way may add an entry of its own: the last one counts.
  for (const entry of (header ?? '').split(',').toReversed()) {
    const match = ENTRY.exec(entry.trim())
    if (match?.[1]?.toLowerCase() === SERVICE) return match[2]
  }
  return undefined
}
