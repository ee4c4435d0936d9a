/**
 * Why a connection ended.
 *
 * - `closed`: this side closed it (`close()`, disposal, the connect signal).
 * - `server-closed`: libvirtd ended or restarted.
 * - `socket`: the system reported another error on the socket.
 * - `keepalive`: libvirtd stopped answering keep-alive pings.
 * - `protocol`: the bytes were not libvirt's protocol; `error` is the `LibvirtProtocolError`.
 */
export interface DisconnectReason {
  readonly kind: 'closed' | 'server-closed' | 'socket' | 'keepalive' | 'protocol'
  /** One sentence for a log. */
  readonly message: string
  readonly error?: Error
}
