import type { CallOptions } from './call-options.ts'
import { LibvirtError } from './errors.ts'
import { LibvirtErrorCode } from './error-codes.ts'
import { Limit } from './limits.ts'
import { FEATURE_KEEPALIVE, procedures } from './procedures.ts'
import type { RpcChannel } from './rpc-channel.ts'
import { readNothing } from './xdr-reader.ts'

const AuthType = { NONE: 0, SASL: 1, POLKIT: 2 } as const
const OPEN_READ_ONLY = 1

export interface HandshakeOptions {
  readonly uri: string
  readonly readOnly: boolean
  /** What is left of the connection's time, asked before each call. */
  readonly callOptions: () => CallOptions
}

/**
 * The first words on a connection, in this order: which authentication the server wants, polkit where it wants that,
 * open, and whether it answers keep-alive pings; that question also makes it send its own.
 *
 * SASL would need a password dialogue and is refused, as IM-1 does with every credential request.
 * Throws `LibvirtError`, also where it is this side that refuses.
 */
export async function handshake(channel: RpcChannel, options: HandshakeOptions): Promise<void> {
  const { call } = channel
  const { uri, readOnly, callOptions } = options

  const offered = await call(procedures.authList, callOptions(), readNothing, (reader) =>
    reader.array(Limit.AUTH_TYPES, (inner) => inner.i32()),
  )
  if (offered.includes(AuthType.POLKIT)) {
    await call(procedures.authPolkit, callOptions(), readNothing, (reader) => reader.i32())
  } else if (offered.length > 0 && !offered.includes(AuthType.NONE)) {
    throw unsupportedAuthentication(offered)
  }

  await call(
    procedures.connectOpen,
    callOptions(),
    (writer) => writer.optional(uri, (inner, text) => inner.string(text)).u32(readOnly ? OPEN_READ_ONLY : 0),
    readNothing,
  )

  const answersPings = await call(
    procedures.supportsFeature,
    callOptions(),
    (writer) => writer.i32(FEATURE_KEEPALIVE),
    (reader) => reader.i32() !== 0,
  )
  if (answersPings) channel.startKeepalive()
}

function unsupportedAuthentication(offered: readonly number[]): LibvirtError {
  const message =
    `the server asks for authentication of type ${offered.join(', ')} (1 is SASL), this client knows none and polkit. ` +
    `Set auth_unix_rw to "none" or "polkit" in libvirtd.conf, or use the read-only socket`
  return new LibvirtError(
    { code: LibvirtErrorCode.AUTH_UNAVAILABLE, domain: 0, level: 2, message },
    procedures.authList.name,
  )
}
