import type * as server from '../server/index.ts'
import { NotBuiltError } from './errors.ts'

export type { CheckResult, ConfigurationOptions, ReferenceAdoption, Running } from '../server/index.ts'

/**
 * What the commands that run here, not against a server, need of the composition root. It is loaded when one of them
 * runs, because it brings the whole product with it; its types bring nothing.
 */
export type ServerModule = Pick<
  typeof server,
  'serve' | 'runAgent' | 'runDemo' | 'migrate' | 'purge' | 'adoptReference' | 'check'
>

/** Loads the composition root. A command whose part of it does not exist yet says so. */
export async function loadServer(): Promise<Partial<ServerModule>> {
  return await import('../server/index.ts')
}

/**
 * The part of the composition root that a command needs.
 *
 * @throws NotBuiltError
 */
export async function serverPart<Name extends keyof ServerModule>(
  load: () => Promise<Partial<ServerModule>>,
  name: Name,
): Promise<ServerModule[Name]> {
  const part: Partial<ServerModule>[Name] = (await load())[name]
  if (part === undefined) throw new NotBuiltError(name)
  return part
}
