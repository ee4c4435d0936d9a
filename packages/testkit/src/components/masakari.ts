import { join } from 'node:path'
import type { DatabaseSpec } from '../database/database-spec.ts'
import type { ServerContext, ServerSpec } from '../spec.ts'
import type { ComponentOptions } from './component.ts'
import { knownConfig } from './component-config.ts'
import { osloManage, sqliteConfig } from './oslo-manage.ts'
import { programsAvailable } from './programs.ts'
import { pythonSources } from './python-sources.ts'

/**
 * OpenStack Masakari's API: SQLite, no Keystone (`noauth2`), messages in memory unless `transportUrl` names a broker.
 */
export function masakariApi(options: ComponentOptions): ServerSpec {
  return {
    name: options.name ?? 'masakari-api',
    dependsOn: options.dependsOn ?? [],
    config: knownConfig('masakari-api', { transportUrl: 'fake://' }, options.config),
    listen: [{ name: 'http', handover: 'none' }],
    database: masakariDatabase(),
    env: pythonEnv,
    files: [
      { name: 'masakari.conf', style: 'oslo', content: masakariConfig },
      { name: 'api-paste.ini', content: pipelines },
    ],
    command: ({ etc }) => ['masakari-api', '--config-file', join(etc, 'masakari.conf')],
    ready: { http: '/', status: [200, 300] },
    startTimeoutMs: 60_000,
    available: () => programsAvailable(['masakari-api', 'masakari-manage'], 'masakari-api', ['--version']),
  }
}

/** OpenStack Masakari's engine. It shares the database of the API named by `api` when that is set. */
export function masakariEngine(options: ComponentOptions): ServerSpec {
  const api = options.config?.['api']
  return {
    name: options.name ?? 'masakari-engine',
    dependsOn: options.dependsOn ?? (typeof api === 'string' ? [api] : []),
    config: knownConfig('masakari-engine', { transportUrl: 'fake://' }, options.config, ['api']),
    database: typeof api === 'string' ? { shareWith: api } : masakariDatabase(),
    env: pythonEnv,
    files: [
      { name: 'masakari.conf', style: 'oslo', content: masakariConfig },
      { name: 'api-paste.ini', content: pipelines },
    ],
    command: ({ etc }) => ['masakari-engine', '--config-file', join(etc, 'masakari.conf')],
    ready: { log: /Starting masakari-engine|Creating RPC server/ },
    startTimeoutMs: 60_000,
    available: () => programsAvailable(['masakari-engine', 'masakari-manage'], 'masakari-engine', ['--version']),
  }
}

function masakariDatabase(): DatabaseSpec {
  return {
    engine: 'sqlite',
    migrate: ({ path, dir }) => osloManage(dir, sqliteConfig(path), ['masakari-manage', 'db', 'sync']),
    ...pythonSources('masakari-manage', 'masakari/db'),
  }
}

function pythonEnv(): Record<string, string> {
  return { PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' }
}

function masakariConfig({ config, port, etc, dataDir, dbUrl }: ServerContext): object {
  return {
    DEFAULT: {
      debug: true,
      transport_url: config['transportUrl'],
      auth_strategy: 'noauth2',
      masakari_api_listen: '127.0.0.1',
      masakari_api_listen_port: port === 0 ? undefined : port,
      masakari_api_workers: 1,
      state_path: dataDir,
    },
    wsgi: { api_paste_config: join(etc, 'api-paste.ini') },
    database: { connection: dbUrl },
    oslo_concurrency: { lock_path: join(dataDir, 'lock') },
  }
}

function pipelines(): object {
  const filter = (factory: string): object => ({ 'paste.filter_factory': factory })
  return {
    'composite:masakari_api': {
      use: 'call:masakari.api.urlmap:urlmap_factory',
      '/': 'apiversions',
      '/v1': 'masakari_api_v1',
    },
    'composite:masakari_api_v1': {
      use: 'call:masakari.api.auth:pipeline_factory_v1',
      keystone:
        'cors http_proxy_to_wsgi request_id faultwrap sizelimit authtoken keystonecontext osapi_masakari_app_v1',
      noauth2: 'cors http_proxy_to_wsgi request_id faultwrap sizelimit noauth2 osapi_masakari_app_v1',
    },
    'filter:cors': { ...filter('oslo_middleware.cors:filter_factory'), oslo_config_project: 'masakari' },
    'filter:http_proxy_to_wsgi': filter('oslo_middleware.http_proxy_to_wsgi:HTTPProxyToWSGI.factory'),
    'filter:request_id': filter('oslo_middleware:RequestId.factory'),
    'filter:faultwrap': filter('masakari.api.openstack:FaultWrapper.factory'),
    'filter:sizelimit': filter('oslo_middleware:RequestBodySizeLimiter.factory'),
    'filter:noauth2': filter('masakari.api.auth:NoAuthMiddleware.factory'),
    'app:osapi_masakari_app_v1': { 'paste.app_factory': 'masakari.api.openstack.ha:APIRouterV1.factory' },
    'pipeline:apiversions': { pipeline: 'faultwrap http_proxy_to_wsgi apiversionsapp' },
    'app:apiversionsapp': { 'paste.app_factory': 'masakari.api.openstack.ha.versions:Versions.factory' },
  }
}
