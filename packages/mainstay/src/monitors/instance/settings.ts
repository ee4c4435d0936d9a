import type { AgentOptions } from '../agent-options.ts'
import { ignoredDomains } from './ignore-domains.ts'
import { parseUuidSource, type UuidSource } from './uuid-source.ts'

/** The options that the instance monitor works with, read once for all events. */
export interface Settings {
  readonly hostname: string
  readonly instance: AgentOptions['instance']
  readonly isIgnored: (name: string) => boolean
  readonly uuidSource: UuidSource
}

/** @throws AgentConfigError when an option makes no sense */
export function settingsFrom({ hostname, instance }: AgentOptions): Settings {
  const uuidSource = parseUuidSource(instance.uuidSource)
  return { hostname, instance, uuidSource, isIgnored: ignoredDomains(instance.ignoreDomains) }
}
