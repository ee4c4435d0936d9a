import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MigrationContext } from '../database/database-spec.ts'
import { removeQuietly } from '../home.ts'
import type { ServerContext, ServerSpec } from '../spec.ts'
import type { ComponentOptions } from './component.ts'
import { knownConfig } from './component-config.ts'
import { osloManage } from './oslo-manage.ts'
import { programsAvailable } from './programs.ts'
import { pythonSources } from './python-sources.ts'

const defaults = { adminPassword: 'test-admin-pass', bcryptRounds: 4 }

/**
 * OpenStack Keystone under its one-process runner, with SQLite, its own keys and a user `admin` of the domain `Default`.
 *
 * `adminPassword` (default `test-admin-pass`) and `bcryptRounds` (default 4: fast, not safe; for passwords that are set from
 * then on) are configuration keys.
 */
export function keystone(options: ComponentOptions): ServerSpec {
  const config = knownConfig('keystone', defaults, options.config)
  return {
    name: options.name ?? 'keystone',
    dependsOn: options.dependsOn ?? [],
    config,
    listen: [{ name: 'http', handover: 'none' }],
    database: {
      engine: 'sqlite',
      migrate: async (context) => {
        await osloManage(context.dir, keystoneConfig(context.url, defaults), ['keystone-manage', 'db_sync'])
        await bootstrap(defaults, context)
      },
      seed: async (context) => {
        // The template has the default one, because another bootstrap costs seconds.
        if (config.adminPassword !== defaults.adminPassword) await bootstrap(config, context)
      },
      // This file too: the first user and the catalogue are part of the template.
      ...pythonSources('keystone-manage', 'keystone/common/sql', [fileURLToPath(import.meta.url)]),
    },
    files: [{ name: 'keystone.conf', style: 'oslo', content: serverConfig }],
    env: ({ etc }) => ({ PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1', OS_KEYSTONE_CONFIG_DIR: etc }),
    prepare: async ({ config: ofStart, dataDir, dbUrl }) => {
      makeKeys(dataDir)
      const wanted = { ...config, ...ofStart }
      if (wanted.adminPassword !== config.adminPassword) await bootstrap(wanted, { dir: dataDir, url: dbUrl })
    },
    command: ({ port }) => ['keystone-wsgi-public', '--host', '127.0.0.1', '--port', String(port)],
    ready: { http: '/v3', status: 200 },
    startTimeoutMs: 60_000,
    available: () => programsAvailable(['keystone-wsgi-public', 'keystone-manage'], 'keystone', ['--help']),
  }
}

function keystoneConfig(url: string, config: typeof defaults): object {
  return {
    DEFAULT: { debug: false },
    database: { connection: url },
    identity: { password_hash_algorithm: 'bcrypt', password_hash_rounds: config.bcryptRounds },
    token: { provider: 'fernet' },
  }
}

function serverConfig({ config, dataDir, dbUrl, port }: ServerContext): object {
  return {
    ...keystoneConfig(dbUrl, { ...defaults, ...config }),
    ...keysIn(dataDir),
    // What the catalogue's addresses are made of.
    eventlet_server: { public_port: port },
  }
}

/**
 * The first user, its roles and project, and the catalogue; in a database that has them: another password. The catalogue
 * leaves the port to the configuration, so that every server that has a copy finds its own in it.
 */
async function bootstrap(config: typeof defaults, { dir, url }: Pick<MigrationContext, 'dir' | 'url'>): Promise<void> {
  const keys = join(dir, 'bootstrap')
  makeKeys(keys)
  const address = 'http://127.0.0.1:$(public_port)s/v3'
  try {
    await osloManage(dir, { ...keystoneConfig(url, config), ...keysIn(keys) }, ['keystone-manage', 'bootstrap'], {
      OS_BOOTSTRAP_PASSWORD: config.adminPassword,
      OS_BOOTSTRAP_REGION_ID: 'RegionOne',
      OS_BOOTSTRAP_PUBLIC_URL: address,
      OS_BOOTSTRAP_INTERNAL_URL: address,
      OS_BOOTSTRAP_ADMIN_URL: address,
    })
  } finally {
    removeQuietly(keys)
  }
}

function keysIn(folder: string): object {
  return {
    fernet_tokens: { key_repository: join(folder, 'fernet') },
    // Of the tokens' keys, as by default, where those are in /etc: Keystone looks whether they are there.
    fernet_receipts: { key_repository: join(folder, 'fernet') },
    credential: { key_repository: join(folder, 'credential') },
  }
}

/** As `fernet_setup` and `credential_setup` make them, which take seconds: `1` is in use, `0` is the next. */
function makeKeys(folder: string): void {
  for (const repository of ['fernet', 'credential']) {
    mkdirSync(join(folder, repository), { recursive: true, mode: 0o700 })
    for (const name of ['0', '1']) {
      const key = `${randomBytes(32).toString('base64url')}=`
      writeFileSync(join(folder, repository, name), key, { mode: 0o600 })
    }
  }
}
