import { libvirtErrorName } from './error-codes.ts'
import type { DisconnectReason } from './disconnect-reason.ts'

/** What the server said when it refused a call. Numbers are libvirt's own (`virErrorNumber`, `virErrorDomain`). */
export interface LibvirtErrorFields {
  readonly code: number
  readonly domain: number
  readonly level: number
  readonly message: string
}

/**
 * The server received the call and refused it.
 *
 * `code` is libvirt's error number: compare with `LibvirtErrorCode`. `domain` tells which part of libvirt spoke
 * (10 QEMU, 20 domain configuration, …), `level` is 1 for a warning and 2 for an error, `call` is the procedure.
 */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError'
  readonly code: number
  readonly domain: number
  readonly level: number
  readonly call: string
  /** libvirt's own words, as virsh prints them. */
  readonly serverMessage: string

  constructor(fields: LibvirtErrorFields, call: string) {
    const named = libvirtErrorName(fields.code) ?? 'unknown error number'
    super(`libvirt refused ${call}: ${fields.message} (error ${fields.code}, ${named})`)
    this.code = fields.code
    this.domain = fields.domain
    this.level = fields.level
    this.call = call
    this.serverMessage = fields.message
  }
}

/**
 * No answer came in time. `sent` tells whether the server may have acted: `false` means the call never left this
 * process, `true` means that its effect is unknown and must be looked at before it is repeated.
 */
export class LibvirtTimeoutError extends Error {
  override readonly name = 'LibvirtTimeoutError'
  readonly code = 'LIBVIRT_TIMEOUT'
  readonly call: string
  readonly timeoutMs: number
  readonly sent: boolean

  constructor(call: string, timeoutMs: number, sent: boolean) {
    super(
      sent
        ? `libvirt did not answer ${call} within ${timeoutMs} ms. It may still carry it out: look at the state before ` +
            `repeating, or allow more time with timeoutMs.`
        : `${call} waited ${timeoutMs} ms behind other calls and was not sent. Nothing happened: repeat it, or raise ` +
            `maxCallsInFlight together with max_client_requests of libvirtd.`,
    )
    this.call = call
    this.timeoutMs = timeoutMs
    this.sent = sent
  }
}

/**
 * The connection is gone. `reason` says why, `sent` has the meaning it has in `LibvirtTimeoutError`.
 */
export class LibvirtDisconnectedError extends Error {
  override readonly name = 'LibvirtDisconnectedError'
  readonly code = 'LIBVIRT_DISCONNECTED'
  readonly call: string
  readonly reason: DisconnectReason
  readonly sent: boolean

  constructor(call: string, reason: DisconnectReason, sent: boolean) {
    super(
      `The connection to libvirt ended before ${call} was answered: ${reason.message} ` +
        (sent
          ? 'The call may have been carried out: look at the state after reconnecting.'
          : 'The call was not sent: connect again and repeat it.'),
      { cause: reason.error },
    )
    this.call = call
    this.reason = reason
    this.sent = sent
  }
}

/** No connection could be made or the server would not open it. `cause` is the system's or libvirt's own error. */
export class LibvirtConnectError extends Error {
  override readonly name = 'LibvirtConnectError'
  readonly code = 'LIBVIRT_CONNECT'
  readonly socketPath: string

  constructor(socketPath: string, what: string, options?: { cause?: unknown }) {
    super(`Cannot connect to libvirt at ${socketPath}: ${what}`, options)
    this.socketPath = socketPath
  }
}

/** Bytes that are not libvirt's protocol, or that break one of its published limits. */
export class LibvirtProtocolError extends Error {
  override readonly name = 'LibvirtProtocolError'
  readonly code = 'LIBVIRT_PROTOCOL'
}

/** An argument that the protocol cannot carry (too long, not a UUID, out of range). Nothing was sent. */
export class LibvirtArgumentError extends Error {
  override readonly name = 'LibvirtArgumentError'
  readonly code = 'LIBVIRT_ARGUMENT'
}

/** An event iterator's consumer was slower than the events for longer than its buffer allows. */
export class LibvirtEventOverflowError extends Error {
  override readonly name = 'LibvirtEventOverflowError'
  readonly code = 'LIBVIRT_EVENT_OVERFLOW'

  constructor(limit: number) {
    super(
      `More than ${limit} libvirt events waited to be read; later ones are lost. Subscribe again, then compare the ` +
        `list of domains with what you knew, or allow a larger bufferLimit.`,
    )
  }
}
