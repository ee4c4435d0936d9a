import { join } from 'node:path'
import type { DatabaseSpec } from '../database/database-spec.ts'
import type { ServerContext, ServerSpec } from '../spec.ts'
import type { ComponentOptions } from './component.ts'
import { knownConfig } from './component-config.ts'
import { osloManage, sqliteConfig } from './oslo-manage.ts'
import { programsAvailable } from './programs.ts'
import { pythonSources } from './python-sources.ts'

/** Encrypts the stored locations; both services must have the same. */
const metadataKey = '0123456789abcdef0123456789abcdef'

/**
 * OpenStack Glance: the API on a socket that we open (`GLANCE_TEST_SOCKET_FD`), SQLite, one file store, no Keystone.
 *
 * `flavor` selects the pipeline: '', fakeauth (tokens `user:project:role`), noauth. Source: testkit.md A12.2.
 */
export function glanceApi(options: ComponentOptions): ServerSpec {
  return {
    name: options.name ?? 'glance-api',
    dependsOn: options.dependsOn ?? [],
    config: knownConfig('glance-api', { delayedDelete: false, flavor: 'fakeauth' }, options.config),
    listen: [{ name: 'http', handover: { env: 'GLANCE_TEST_SOCKET_FD' } }],
    database: glanceDatabase(),
    env: pythonEnv,
    files: [
      { name: 'glance-api.conf', style: 'oslo', content: apiConfig },
      { name: 'glance-api-paste.ini', content: pipelines },
      { name: 'glance-image-import.conf', content: '' },
      { name: 'policy.yaml', content: '{}\n' },
    ],
    command: ({ etc }) => ['glance-api', '--config-file', join(etc, 'glance-api.conf')],
    logs: [{ name: 'glance-api.log', path: 'glance-api.log' }],
    // 300 is its list of versions.
    ready: { http: '/', status: [200, 300] },
    startTimeoutMs: 60_000,
    available: () => programsAvailable(['glance-api', 'glance-manage'], 'glance-api'),
  }
}

/**
 * Glance's scrubber, which removes what delayed delete has left. A oneshot; with `daemon: true` a service. It shares the
 * database and the image folder of the API named by `api` (default `glance-api`).
 */
export function glanceScrubber(options: ComponentOptions): ServerSpec {
  const wanted = options.config?.['api']
  const api = typeof wanted === 'string' ? wanted : 'glance-api'
  return {
    name: options.name ?? 'glance-scrubber',
    dependsOn: options.dependsOn ?? [api],
    config: knownConfig('glance-scrubber', { daemon: false, api }, options.config),
    launch: (config) => (config['daemon'] === true ? 'service' : 'oneshot'),
    database: { shareWith: api },
    env: pythonEnv,
    files: [{ name: 'glance-scrubber.conf', style: 'oslo', content: scrubberConfig }],
    command: ({ etc }) => ['glance-scrubber', '--config-file', join(etc, 'glance-scrubber.conf')],
    logs: [{ name: 'glance-scrubber.log', path: 'glance-scrubber.log' }],
    ready: { log: /scrub|wakeup|Starting/i },
    startTimeoutMs: 60_000,
    available: () => programsAvailable(['glance-scrubber', 'glance-manage'], 'glance-api'),
  }
}

function glanceDatabase(): DatabaseSpec {
  return {
    engine: 'sqlite',
    migrate: ({ path, dir }) => osloManage(dir, sqliteConfig(path), ['glance-manage', 'db_sync']),
    ...pythonSources('glance-manage', 'glance/db'),
  }
}

function pythonEnv(): Record<string, string> {
  return { PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' }
}

function apiConfig({ config, port, dir, dataDir, etc, logDir, dbUrl }: ServerContext): object {
  return {
    DEFAULT: {
      debug: true,
      default_log_levels: 'eventlet.wsgi.server=DEBUG,stevedore.extension=INFO',
      bind_host: '127.0.0.1',
      bind_port: port,
      workers: 0,
      delayed_delete: config['delayedDelete'] === true,
      metadata_encryption_key: metadataKey,
      log_file: join(logDir, 'glance-api.log'),
      node_staging_uri: `file://${dataDir}/staging`,
      image_cache_dir: join(dataDir, 'cache'),
      enforce_secure_rbac: false,
      show_multiple_locations: true,
    },
    database: { connection: dbUrl },
    oslo_concurrency: { lock_path: join(dir, 'run') },
    oslo_policy: { policy_file: join(etc, 'policy.yaml'), enforce_scope: false, enforce_new_defaults: false },
    paste_deploy: {
      flavor: config['flavor'] === '' ? undefined : config['flavor'],
      config_file: join(etc, 'glance-api-paste.ini'),
    },
    glance_store: { filesystem_store_datadir: join(dataDir, 'images'), default_store: 'file', stores: 'file,http' },
  }
}

function scrubberConfig({ config, dir, logDir, dbUrl, deps }: ServerContext): object {
  const images = join(deps[String(config['api'])]?.dir ?? '', 'data', 'images')
  return {
    DEFAULT: {
      debug: true,
      daemon: config['daemon'] === true,
      wakeup_time: 2,
      scrub_time: 0,
      delayed_delete: true,
      metadata_encryption_key: metadataKey,
      log_file: join(logDir, 'glance-scrubber.log'),
    },
    database: { connection: dbUrl },
    oslo_concurrency: { lock_path: join(dir, 'run') },
    glance_store: { filesystem_store_datadir: images, default_store: 'file', stores: 'file,http' },
  }
}

/** Without `oslo_config_project` the CORS filter ends the process with code 99. */
function pipelines(): object {
  const chain = (...middle: string[]): object => ({
    pipeline: ['cors', 'healthcheck', 'versionnegotiation', ...middle, 'rootapp'].join(' '),
  })
  const filter = (factory: string, more: object = {}): object => ({ 'paste.filter_factory': factory, ...more })
  return {
    'pipeline:glance-api': chain('unauthenticated-context'),
    'pipeline:glance-api-fakeauth': chain('fakeauth', 'context'),
    'pipeline:glance-api-noauth': chain('context'),
    'composite:rootapp': {
      'paste.composite_factory': 'glance.api:root_app_factory',
      '/': 'apiversions',
      '/v2': 'apiv2app',
    },
    'app:apiversions': { 'paste.app_factory': 'glance.api.versions:create_resource' },
    'app:apiv2app': { 'paste.app_factory': 'glance.api.v2.router:API.factory' },
    'filter:healthcheck': filter('oslo_middleware:Healthcheck.factory'),
    'filter:versionnegotiation': filter('glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory'),
    'filter:context': filter('glance.api.middleware.context:ContextMiddleware.factory'),
    'filter:unauthenticated-context': filter('glance.api.middleware.context:UnauthenticatedContextMiddleware.factory'),
    'filter:fakeauth': filter('glance.tests.utils:FakeAuthMiddleware.factory'),
    'filter:cors': filter('oslo_middleware.cors:filter_factory', {
      oslo_config_project: 'glance',
      oslo_config_program: 'glance-api',
    }),
  }
}
