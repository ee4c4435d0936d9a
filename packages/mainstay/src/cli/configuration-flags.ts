import type { CliContext } from './context.ts'
import type { ConfigurationOptions } from './load-server.ts'
import { textFlag } from './text-argument.ts'

/** The flags of every command that reads a configuration. */
export interface ConfigurationFlags {
  readonly config?: string
  readonly importConf?: string
  readonly set?: readonly string[]
  readonly dataDir?: string
}

export const configurationFlags = {
  config: textFlag('FILE', 'A configuration in TOML'),
  importConf: textFlag('FILE', 'A configuration of Masakari to start from'),
  set: {
    kind: 'parsed',
    parse: String,
    optional: true,
    variadic: true,
    placeholder: 'SECTION.KEY=VALUE',
    brief: 'Any option of the configuration; may be repeated',
  },
  dataDir: textFlag('DIRECTORY', 'Where the embedded database lives'),
} as const

/** What the flags say, in the words of the composition root, and when the user has enough. */
export function configurationOf(
  context: CliContext,
  flags: ConfigurationFlags,
): ConfigurationOptions & { readonly signal: AbortSignal } {
  const { config, importConf, set = [], dataDir } = flags
  return { config, importConf, set, dataDir, env: context.process.env, signal: context.signal }
}
