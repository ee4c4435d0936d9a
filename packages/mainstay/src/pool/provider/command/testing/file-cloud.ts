import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { SystemClock } from '../../../../core/clock.ts'
import { toJson } from '../../../../core/json.ts'
import type { MachineTags, ProviderResource } from '../../provider.ts'
import { writeTags } from '../../tags.ts'
import type { CommandHooks, CommandSettings } from '../options.ts'
import { CommandProvider } from '../provider.ts'
import type { HookCommand } from '../run-hook.ts'

const SCRIPT = fileURLToPath(new URL('file-cloud.sh', import.meta.url))

/**
 * A cloud whose machines are folders, which real hooks (a shell script) make and remove. It outlives the process that uses
 * it, so tests that kill processes can look at what is left.
 */
export class FileCloud implements AsyncDisposable {
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  static async create(): Promise<FileCloud> {
    const cloud = new FileCloud(await mkdtemp(join(tmpdir(), 'mainstay-file-cloud-')))
    for (const folder of ['machines', 'resources']) await mkdir(join(cloud.directory, folder))
    return cloud
  }

  /** The hooks, for a provider of one's own; `env` has to go with them. */
  get hooks(): CommandHooks {
    const hook = (action: string): HookCommand => ['sh', SCRIPT, action]
    return {
      create: hook('create'),
      destroy: hook('destroy'),
      list: hook('list'),
      describe: hook('describe'),
      start: hook('start'),
      stop: hook('stop'),
      reset: hook('reset'),
      quota: hook('quota'),
      listResources: hook('list-resources'),
      destroyResource: hook('destroy-resource'),
    }
  }

  get env(): Record<string, string> {
    return { FILE_CLOUD: this.directory, FILE_CLOUD_VOLUMES: '1' }
  }

  provider(installation: string, settings: Partial<CommandSettings> = {}): CommandProvider {
    const { hooks, env } = this
    return new CommandProvider({ name: 'files', installation, clock: new SystemClock(), hooks, env, settings })
  }

  has(name: string): boolean {
    return existsSync(join(this.directory, 'machines', name))
  }

  /** Puts a machine there as it is. */
  async add(name: string, { tags = null, state = 'running' }: { tags?: MachineTags | null; state?: string } = {}) {
    const folder = join(this.directory, 'machines', name)
    await mkdir(folder)
    await writeFile(join(folder, 'ip'), '127.200.0.1\n')
    await writeFile(join(folder, 'state'), state)
    await writeFile(join(folder, 'tags'), tags === null ? 'null' : toJson(writeTags(tags)))
  }

  async setState(name: string, state: string): Promise<void> {
    await writeFile(join(this.directory, 'machines', name, 'state'), state)
  }

  async vanish(name: string): Promise<void> {
    await rm(join(this.directory, 'machines', name), { recursive: true })
  }

  async addResource({ kind, providerId, name, tags }: ProviderResource): Promise<void> {
    const entry = { kind, id: providerId, name, tags: tags === null ? null : writeTags(tags) }
    await writeFile(join(this.directory, 'resources', providerId), toJson(entry))
  }

  /** What the next creation does: an error's class, or `half` for a machine that is made and then reported as failed. */
  async orderNextCreate(order: string): Promise<void> {
    await writeFile(join(this.directory, 'next-create'), order)
  }

  /** Whether its hooks fail from now on. */
  async setDown(down: boolean): Promise<void> {
    if (down) await writeFile(join(this.directory, 'down'), '')
    else await rm(join(this.directory, 'down'), { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }
}
