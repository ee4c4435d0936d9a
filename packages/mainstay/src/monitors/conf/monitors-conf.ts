import type { AgentApiOptions, AgentOptions, AgentOverrides } from '../agent-options.ts'
import { AgentConfigError } from '../errors.ts'
import type { RetryTimes } from '../sender/back-off.ts'
import { KNOWN_OPTIONS } from './known-options.ts'
import { nearestName } from './nearest-name.ts'
import { parseOsloConfig, type OsloConfig } from './parse-oslo.ts'

export interface ImportedConf {
  /** What the file sets, for `agentOptions`. */
  readonly options: AgentOverrides
  /** One sentence for each option that means nothing. */
  readonly warnings: readonly string[]
}

/**
 * Takes a `masakarimonitors.conf` as it is. Options that mean nothing here, or not yet, are accepted; one that means
 * nothing anywhere is named, with what was probably meant.
 *
 * Source: monitors.md section 10.
 *
 * @throws AgentConfigError when the file cannot be read, or a value is not of its kind
 */
export function importMonitorsConf(text: string, file: string): ImportedConf {
  const config = parseOsloConfig(text, file)
  return { options: options(new Values(config, file)), warnings: unknownOptions(config, file) }
}

function unknownOptions(config: OsloConfig, file: string): string[] {
  return [...config].flatMap(([section, values]) => {
    const known = KNOWN_OPTIONS[section]
    if (known === undefined) return [] // another program's section in a shared file
    return [...values.keys()]
      .filter((name) => !known.includes(name))
      .map((name) => {
        const nearest = nearestName(name, known)
        const meant = nearest === undefined ? '' : ` Did you mean ${nearest}?`
        return `${file}: [${section}] ${name} is no known option and does nothing.${meant}`
      })
  })
}

function options(values: Values): AgentOverrides {
  const ms = (seconds: number | undefined): number | undefined => (seconds === undefined ? undefined : seconds * 1000)
  return defined<AgentOverrides>({
    hostname: values.text('DEFAULT', 'hostname') ?? values.text('DEFAULT', 'host'),
    tempdir: values.text('DEFAULT', 'tempdir'),
    api: apiOptions(values),
    libvirt: defined<Partial<AgentOptions['libvirt']>>({
      connectionUri: values.text('libvirt', 'connection_uri'),
      connectTimeoutMs: ms(values.number('libvirt', 'connect_timeout', { min: 1 })),
      callTimeoutMs: ms(values.number('libvirt', 'call_timeout', { min: 1 })),
      keepaliveIntervalMs: ms(values.number('libvirt', 'keepalive_interval', { min: 1 })),
      keepaliveMisses: values.number('libvirt', 'keepalive_misses', { min: 1 }),
    }),
    sender: defined<Partial<AgentOptions['sender']>>({
      spoolDir: values.text('sender', 'spool_dir'),
      spoolTtlMs: ms(values.number('sender', 'spool_ttl')),
      sendConcurrency: values.number('sender', 'send_concurrency', { min: 1 }),
      retryMode: values.choice('sender', 'retry_mode', ['backoff', 'compat']),
      shutdownGraceMs: ms(values.number('sender', 'shutdown_grace')),
      retry: {
        VM: retryTimes(values, 'callback', 'retry'),
        COMPUTE_HOST: retryTimes(values, 'host', 'api_retry'),
        PROCESS: retryTimes(values, 'process', 'api_retry'),
      },
    }),
    instance: defined<Partial<AgentOptions['instance']>>({
      dedupeWindowMs: ms(values.number('instance', 'dedupe_window')),
      panicAs: values.choice('instance', 'panic_as', ['native', 'stopped_failed']),
      ignoreDomains: values.list('instance', 'ignore_domains'),
      uuidSource: values.text('instance', 'uuid_source'),
      identityTimeoutMs: ms(values.number('instance', 'identity_timeout', { min: 1 })),
      reconcileTimeoutMs: ms(values.number('instance', 'reconcile_timeout', { min: 1 })),
    }),
    metrics: defined({ listen: values.text('metrics', 'listen') }),
  })
}

function retryTimes(values: Values, section: string, prefix: string): RetryTimes {
  const max = values.number(section, `${prefix}_max`) ?? 12
  const interval = values.number(section, `${prefix}_interval`) ?? 10
  return { max, intervalMs: interval * 1000 }
}

/** The names of keystoneauth's plugins that need no Keystone. */
const AUTH_TYPES: Readonly<Record<string, AgentApiOptions['authType']>> = {
  none: 'none',
  noauth: 'none',
  noauth2: 'none',
  token: 'token',
  admin_token: 'token',
}

const NOT_KEYSTONE = new Set(['region', 'region_name', 'api_interface', 'api_version', 'timeout', 'insecure', 'cafile'])

function apiOptions(values: Values): Partial<AgentApiOptions> {
  const timeout = values.number('api', 'timeout')
  return defined<Partial<AgentApiOptions>>({
    endpoint: values.text('api', 'endpoint_override') ?? values.text('api', 'endpoint'),
    authType: AUTH_TYPES[values.text('api', 'auth_type') ?? 'password'] ?? 'keystone',
    token: values.text('api', 'token'),
    region: values.text('api', 'region') ?? values.text('api', 'region_name'),
    interface: values.choice('api', 'api_interface', ['public', 'internal', 'admin']),
    timeoutMs: timeout === undefined ? undefined : timeout * 1000,
    keystone: Object.fromEntries(values.all('api').filter(([name]) => !NOT_KEYSTONE.has(name))),
    cafile: values.text('api', 'cafile'),
    certfile: values.text('api', 'certfile'),
    keyfile: values.text('api', 'keyfile'),
    insecure: values.flag('api', 'insecure'),
  })
}

/** Values of the file, checked as they are asked for. An empty value is none. */
class Values {
  readonly #config: OsloConfig
  readonly #file: string

  constructor(config: OsloConfig, file: string) {
    this.#config = config
    this.#file = file
  }

  all(section: string): [string, string][] {
    return [...(this.#config.get(section) ?? [])]
  }

  text(section: string, name: string): string | undefined {
    const value = this.#config.get(section)?.get(name)
    return value === '' ? undefined : value
  }

  number(section: string, name: string, { min = 0 }: { min?: number } = {}): number | undefined {
    const text = this.text(section, name)
    if (text === undefined) return undefined
    if (!/^\d+$/.test(text) || Number(text) < min) throw this.#wrong(section, name, `a whole number of at least ${min}`)
    return Number(text)
  }

  flag(section: string, name: string): boolean | undefined {
    const text = this.text(section, name)?.toLowerCase()
    if (text === undefined) return undefined
    if (['true', '1', 'yes', 'on'].includes(text)) return true
    if (['false', '0', 'no', 'off'].includes(text)) return false
    throw this.#wrong(section, name, 'true or false')
  }

  list(section: string, name: string): string[] | undefined {
    return this.text(section, name)
      ?.split(/[,\n]/)
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '')
  }

  choice<Choice extends string>(section: string, name: string, choices: readonly Choice[]): Choice | undefined {
    const text = this.text(section, name)
    if (text === undefined) return undefined
    const chosen = choices.find((choice) => choice === text)
    if (chosen === undefined) throw this.#wrong(section, name, choices.join(', '))
    return chosen
  }

  #wrong(section: string, name: string, expected: string): AgentConfigError {
    const value = this.text(section, name)
    return new AgentConfigError(`${this.#file}: [${section}] ${name} is "${value}"; expected ${expected}.`)
  }
}

/** Leaves out what is not set, so that it does not hide a default. */
function defined<Shape extends object>(members: { [Name in keyof Shape]: Shape[Name] | undefined }): Shape {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Shape
}
