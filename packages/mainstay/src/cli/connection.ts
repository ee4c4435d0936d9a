import type { MainstayClient, TransportOptions } from '../client/index.ts'
import type { CliContext } from './context.ts'
import { parseDuration } from './duration.ts'

export const DEFAULT_ENDPOINT = 'http://127.0.0.1:15868'

/** The flags of every command that asks a server. */
export interface ConnectionFlags {
  readonly endpoint?: string
  readonly osToken?: string
  readonly timeout: number
  readonly debug: boolean
}

export const debugFlag = {
  debug: { kind: 'boolean', brief: 'Show where an error came from', default: false, withNegated: false },
} as const

export const connectionFlags = {
  endpoint: {
    kind: 'parsed',
    parse: String,
    placeholder: 'URL',
    brief: `The server; else MAINSTAY_ENDPOINT, else ${DEFAULT_ENDPOINT}`,
    optional: true,
  },
  osToken: {
    kind: 'parsed',
    parse: String,
    placeholder: 'TOKEN',
    brief: 'A Keystone token; else OS_TOKEN, else none is sent',
    optional: true,
  },
  timeout: {
    kind: 'parsed',
    parse: parseDuration,
    placeholder: 'DURATION',
    brief: 'The longest that one call may take',
    default: '30s',
  },
  ...debugFlag,
} as const

/** The server that the flags and the environment name, and how it is asked. */
export async function serverOf(
  { process: { env } }: CliContext,
  flags: ConnectionFlags,
): Promise<Pick<TransportOptions, 'endpoint' | 'timeoutMs' | 'tokens'>> {
  const { fixedToken } = await import('../client/index.ts')
  const token = nonEmpty(flags.osToken) ?? nonEmpty(env['OS_TOKEN'])
  return {
    endpoint: nonEmpty(flags.endpoint) ?? nonEmpty(env['MAINSTAY_ENDPOINT']) ?? DEFAULT_ENDPOINT,
    timeoutMs: flags.timeout,
    ...(token === undefined ? {} : { tokens: fixedToken(token) }),
  }
}

/**
 * The client that the flags and the environment ask for.
 *
 * @throws InvalidInputError when the endpoint is no address
 */
export async function connect(context: CliContext, flags: ConnectionFlags): Promise<MainstayClient> {
  const { createClient } = await import('../client/index.ts')
  return createClient(await serverOf(context, flags))
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
