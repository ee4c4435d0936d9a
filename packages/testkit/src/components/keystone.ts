import { join } from 'node:path'
import { runProgram } from '../process/run.ts'
import type { ServerContext, ServerSpec } from '../spec.ts'
import type { ComponentOptions } from './component.ts'
import { osloManage, sqliteConfig } from './oslo-manage.ts'
import { programsAvailable } from './programs.ts'

/**
 * OpenStack Keystone under its one-process runner, with SQLite, its own keys and a user `admin` of the domain `Default`.
 *
 * `adminPassword` (default `test-admin-pass`) and `bcryptRounds` (default 4: fast, not safe) are configuration keys.
 */
export function keystone(options: ComponentOptions): ServerSpec {
  return {
    name: options.name ?? 'keystone',
    dependsOn: options.dependsOn ?? [],
    config: { adminPassword: 'test-admin-pass', bcryptRounds: 4, ...options.config },
    listen: [{ name: 'http', handover: 'none' }],
    database: {
      engine: 'sqlite',
      migrate: ({ path, dir }) => osloManage(dir, sqliteConfig(path), ['keystone-manage', 'db_sync']),
      sources: [],
    },
    files: [{ name: 'keystone.conf', style: 'oslo', content: keystoneConfig }],
    env: ({ etc }) => ({ PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1', OS_KEYSTONE_CONFIG_DIR: etc }),
    prepare: bootstrap,
    command: ({ port }) => ['keystone-wsgi-public', '--host', '127.0.0.1', '--port', String(port)],
    ready: { http: '/v3', status: 200 },
    startTimeoutMs: 60_000,
    available: () => programsAvailable(['keystone-wsgi-public', 'keystone-manage'], 'keystone', ['--help']),
  }
}

function keystoneConfig({ config, dataDir, dbUrl }: ServerContext): object {
  return {
    DEFAULT: { debug: false },
    database: { connection: dbUrl },
    identity: { password_hash_algorithm: 'bcrypt', password_hash_rounds: config['bcryptRounds'] },
    token: { provider: 'fernet' },
    fernet_tokens: { key_repository: join(dataDir, 'fernet') },
    credential: { key_repository: join(dataDir, 'credential') },
  }
}

/** Keys and the first user; the catalogue points at the port of the first start. */
async function bootstrap(context: ServerContext): Promise<void> {
  const { config, url } = context
  const manage = (...args: string[]): Promise<void> =>
    osloManage(context.dataDir, keystoneConfig(context), ['keystone-manage', ...args])
  const { stdout: user } = await runProgram(['id', '-un'])
  const { stdout: group } = await runProgram(['id', '-gn'])
  const as = ['--keystone-user', user.trim(), '--keystone-group', group.trim()]
  await runProgram(['mkdir', '-p', '-m', '700', join(context.dataDir, 'fernet'), join(context.dataDir, 'credential')])
  await manage('fernet_setup', ...as)
  await manage('credential_setup', ...as)
  await manage(
    'bootstrap',
    '--bootstrap-password',
    String(config['adminPassword']),
    '--bootstrap-region-id',
    'RegionOne',
    '--bootstrap-public-url',
    `${url}/v3`,
    '--bootstrap-internal-url',
    `${url}/v3`,
    '--bootstrap-admin-url',
    `${url}/v3`,
  )
}
