import { runCommand } from '../../core/child-process.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { isJsonObject, parseJson } from '../../core/json.ts'
import { StoreUnavailableError } from '../../store/index.ts'
import type { DatabaseSource, SourceRow } from './source.ts'

export interface MariadbSourceOptions {
  /** `mysql+pymysql://user:password@host:port/database`, as in masakari.conf. */
  readonly url: string
  /** The client program. */
  readonly program?: string
  /** The longest that reading one table may take. */
  readonly timeoutMs?: number
}

const DEFAULT_TIMEOUT_MS = 600_000
const MAX_OUTPUT_BYTES = 1024 * 1024 * 1024

/**
 * A Masakari database in MariaDB or MySQL, read with the client program of the database, which every machine that runs
 * Masakari has: one JSON object for each row and line.
 *
 * @throws InvalidInputError when the address cannot be read
 */
export function mariadbSource(options: MariadbSourceOptions): DatabaseSource {
  const { program = 'mariadb', timeoutMs = DEFAULT_TIMEOUT_MS } = options
  const { host, port, user, password, database } = parseUrl(options.url)
  const query = async (sql: string, signal: AbortSignal): Promise<SourceRow[]> => {
    const result = await runCommand(
      [
        program,
        '--no-defaults',
        `--host=${host}`,
        `--port=${port}`,
        `--user=${user}`,
        '--protocol=tcp',
        '--default-character-set=utf8mb4',
        '--batch',
        '--raw',
        '--skip-column-names',
        database,
      ],
      { timeoutMs, signal, input: sql, env: { MYSQL_PWD: password }, maxOutputBytes: MAX_OUTPUT_BYTES },
    )
    if (result.exitCode !== 0) {
      throw new StoreUnavailableError(
        `The database ${database} at ${host}:${port} cannot be read: ${result.stderr.trim()}. Check address, user and rights.`,
      )
    }
    const lines = result.stdout.split('\n').filter((line) => line !== '')
    return lines.map((line) => parseJson(line, `a row of ${database}`)).filter(isJsonObject)
  }
  return {
    description: `${database} at ${host}:${port}`,
    readTable: async (table, { signal }) => {
      const columns = await query(
        `select json_object('name', column_name) from information_schema.columns
         where table_schema = database() and table_name = '${table}'`,
        signal,
      )
      if (columns.length === 0) return undefined
      const members = columns.flatMap(({ name }) => (typeof name === 'string' ? [`'${name}', \`${name}\``] : []))
      return await query(`select json_object(${members.join(', ')}) from \`${table}\` order by id`, signal)
    },
    close: () => undefined,
  }
}

function parseUrl(url: string): { host: string; port: string; user: string; password: string; database: string } {
  const standard = url.replace(/^mysql(?:\+\w+)?:/, 'mysql:').replace(/^mariadb(?:\+\w+)?:/, 'mysql:')
  const usable = standard.startsWith('mysql://') && URL.canParse(standard)
  if (!usable || new URL(standard).hostname === '' || new URL(standard).pathname.length < 2) {
    throw new InvalidInputError(
      'The address of the old database must be mysql+pymysql://user:password@host:port/database or sqlite:///path.',
    )
  }
  const parsed = new URL(standard)
  return {
    host: parsed.hostname,
    port: parsed.port === '' ? '3306' : parsed.port,
    user: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
    database: decodeURIComponent(parsed.pathname.slice(1)),
  }
}
