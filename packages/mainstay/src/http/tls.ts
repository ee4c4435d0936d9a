import { readFileSync } from 'node:fs'

import { errorMessage, InvalidInputError } from '../core/errors.ts'

/** Files of a server that speaks TLS. Source: ha-api.md 20.1; the names there are given in brackets. */
export interface TlsFiles {
  /** [ssl_cert_file] */
  readonly certFile: string | null
  /** [ssl_key_file] */
  readonly keyFile: string | null
  /** Authorities of client certificates, which are then required [ssl_ca_file]. */
  readonly clientCaFile?: string | null
}

export interface TlsContext {
  readonly cert: string
  readonly key: string
  readonly ca?: string
  readonly requestCert?: boolean
  readonly rejectUnauthorized?: boolean
}

/** @throws InvalidInputError when a file is missing or cannot be read */
export function readTls({ certFile, keyFile, clientCaFile = null }: TlsFiles): TlsContext {
  if (certFile === null || keyFile === null) {
    throw new InvalidInputError('TLS needs both a certificate and a private key. Give the files of both.')
  }
  const pair = { cert: read(certFile, 'certificate'), key: read(keyFile, 'private key') }
  if (clientCaFile === null) return pair
  return { ...pair, ca: read(clientCaFile, 'client authorities'), requestCert: true, rejectUnauthorized: true }
}

function read(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new InvalidInputError(
      `The file of the ${what}, ${path}, cannot be read: ${errorMessage(error)}. Correct the path or its permissions.`,
      { cause: error },
    )
  }
}
