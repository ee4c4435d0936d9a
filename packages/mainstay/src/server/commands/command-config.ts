import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'

/** Where a command's configuration comes from. */
export interface ConfigurationOptions {
  /** A TOML file. */
  readonly config?: string | undefined
  /** A configuration of Masakari, read before everything else. */
  readonly importConf?: string | undefined
  /** `section.key=value` each. */
  readonly set: readonly string[]
  readonly dataDir?: string | undefined
  readonly env: Readonly<Partial<Record<string, string>>>
}

/**
 * The configuration of a command. Flags that have their own name win over everything else.
 *
 * @param flags option to value, undefined where the flag was not given
 * @throws InvalidInputError
 */
export async function commandConfig(
  options: ConfigurationOptions,
  flags: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>> = {},
): Promise<Config> {
  const { config: file, importConf, set, dataDir, env } = options
  const overrides = { 'server.data_dir': dataDir, ...flags }
  return await loadConfig({ file, importConf, env, set, overrides })
}
