import { InvalidInputError } from '../../core/errors.ts'
import { maskUrl } from '../../core/logging.ts'

/** Where a broker is, as one host or several of a cluster. */
export interface BrokerAddress {
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly username: string
  readonly password: string
  readonly vhost: string
  readonly tls: boolean
}

const FORM = /^(amqps?|rabbit|kombu\+amqps?):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/

/**
 * Reads the address of a broker: an AMQP URL, or the `transport_url` of oslo.messaging, which may name several hosts,
 * each with its own user (the first one's is used): `rabbit://user:password@host-1:5672,user:password@host-2:5672/vhost`.
 *
 * @throws InvalidInputError
 */
export function parseBrokerAddress(text: string): BrokerAddress {
  const match = FORM.exec(text)
  if (match === null) throw malformed(text)
  const [, scheme = '', authority = '', path = '', query = ''] = match
  const tls = scheme.endsWith('amqps') || /(?:^|&)ssl=(?:1|true)(?:&|$)/i.test(query)
  const places = authority.split(',').map((place) => parsePlace(place, tls, text))
  const { username = 'guest', password = 'guest' } = places[0]!
  return {
    hosts: places.map(({ host, port }) => ({ host, port })),
    username,
    password,
    vhost: path === '' ? '/' : decode(path, text),
    tls,
  }
}

interface Place {
  readonly host: string
  readonly port: number
  readonly username?: string
  readonly password?: string
}

function parsePlace(place: string, tls: boolean, text: string): Place {
  const at = place.lastIndexOf('@')
  const [, name = '', address = '', digits = ''] =
    /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/i.exec(place.slice(at + 1)) ?? []
  const host = name === '' ? address : name
  const port = digits === '' ? (tls ? 5671 : 5672) : Number(digits)
  if (host === '' || port < 1 || port > 65_535) throw malformed(text)
  if (at === -1) return { host, port }
  const [username = '', ...password] = place.slice(0, at).split(':')
  return { host, port, username: decode(username, text), password: decode(password.join(':'), text) }
}

function decode(part: string, text: string): string {
  try {
    return decodeURIComponent(part)
  } catch (error) {
    throw malformed(text, error)
  }
}

function malformed(text: string, cause?: unknown): InvalidInputError {
  return new InvalidInputError(
    `"${maskUrl(text)}" is not the address of a broker: write amqp://user:password@host:5672/vhost, ` +
      'or the transport_url of an OpenStack service.',
    { cause },
  )
}
