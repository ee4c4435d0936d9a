import { connect, Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net'

/** Takes what has arrived. The memory is used again for what arrives next, as soon as the socket is read again. */
export type Receive = (chunk: Buffer) => void

/** As much as the system hands over at once. */
const bufferBytes = 256 * 1024

/**
 * A connection that reads into one buffer again and again. Ordinary sockets allocate 64 KiB for each read, which costs a
 * proxy more than the forwarding itself.
 *
 * The socket emits no `data`; `end`, `close`, `error`, `pause` and `resume` are as always.
 */
export function connectWide(address: { readonly host: string; readonly port: number }, receive: Receive): Socket {
  return connect({ ...address, allowHalfOpen: true, noDelay: true, onread: intoOneBuffer(receive) })
}

/**
 * The same for a connection that a server has accepted, which must be paused. Node has no option for these, so the
 * connection is taken over from the socket, which then counts as closed; a Node that does not let it go keeps its own way of
 * reading.
 */
export function acceptWide(accepted: Socket, receive: Receive): Socket {
  const handle: unknown = Reflect.get(accepted, '_handle')
  if (typeof handle !== 'object' || handle === null) return accepted.on('data', receive)
  const options: SocketConstructorOpts = { allowHalfOpen: true, onread: intoOneBuffer(receive) }
  const socket = new Socket(Object.assign(options, { handle }))
  Reflect.set(accepted, '_handle', null)
  accepted.destroy()
  return socket
}

function intoOneBuffer(receive: Receive): OnReadOpts {
  const buffer = Buffer.allocUnsafeSlow(bufferBytes)
  return {
    buffer,
    callback: (length) => {
      receive(buffer.subarray(0, length))
      return true
    },
  }
}
