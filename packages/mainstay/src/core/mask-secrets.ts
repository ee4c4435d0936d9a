import { stdSerializers } from 'pino'

const MASK = '***'

/** Beyond this depth a value is cut off: logs are for people, and a circle has no end. */
const MAX_DEPTH = 10

/** Names, in lower case without separators, that hold a secret; and the endings of such names. Source: ha-api.md 20.5. */
const SECRET_NAMES = new Set(['authorization', 'cookie', 'setcookie', 'connection', 'transporturl', 'backendurl'])
const SECRET_ENDINGS = ['token', 'password', 'passwd', 'passphrase', 'secret', 'apikey', 'privatekey', 'adminpass']

/** Whether what stands under this name never reaches a log. */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replaceAll(/[-_.]/g, '')
  return SECRET_NAMES.has(plain) || SECRET_ENDINGS.some((ending) => plain.endsWith(ending))
}

/** A copy in which every secret member is masked, however deep it stands. Errors are written out on the way. */
export function maskSecrets(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return maskUrl(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MAX_DEPTH) return '[…]'
  if (value instanceof Error) return maskMembers(stdSerializers.err(value), depth)
  if ('toJSON' in value && typeof value.toJSON === 'function') return maskSecrets(value.toJSON(), depth + 1)
  if (Array.isArray(value)) return value.map((item) => maskSecrets(item, depth + 1))
  return maskMembers(value, depth)
}

function maskMembers(value: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const hidden = isSecretName(name) && member !== null && member !== undefined && typeof member !== 'boolean'
      return [name, hidden ? MASK : maskSecrets(member, depth + 1)]
    }),
  )
}

const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:@/"'<>]*):[^\s@,"'<>]*@/gi
const NEXT_HOST_PASSWORD = /(,[^\s:@/,"'<>]+):[^\s@/,"'<>]+@/g
const QUERY_SECRET = /([?&][\w-]*(?:token|password|passwd|secret|key)=)[^\s&"'<>#]+/gi

/** Hides passwords in the URLs of a text, also in those that only a driver understands, such as lists of hosts. */
export function maskUrl(text: string): string {
  if (!text.includes('://')) return text
  return text
    .replaceAll(URL_PASSWORD, `$1:${MASK}@`)
    .replaceAll(NEXT_HOST_PASSWORD, `$1:${MASK}@`)
    .replaceAll(QUERY_SECRET, `$1${MASK}`)
}
