import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions } from 'node:tls'

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

/** @throws InvalidInputError when a file is missing, cannot be read, or holds something else */
export function readTls({ certFile, keyFile, clientCaFile = null }: TlsFiles): TlsContext {
  if (certFile === null || keyFile === null) {
    throw new InvalidInputError('TLS needs both a certificate and a private key. Give the files of both.')
  }
  const pair = { cert: read(certFile, 'certificate'), key: read(keyFile, 'private key') }
  // One after the other: all at once the library says what is wrong, but not with which file.
  check({ cert: pair.cert }, `The file ${certFile} holds no certificate in PEM form that can be used`)
  check({ key: pair.key }, `The file ${keyFile} holds no private key in PEM form without a passphrase`)
  check(pair, `The private key in ${keyFile} does not belong to the certificate in ${certFile}`)
  if (clientCaFile === null) return pair
  const ca = read(clientCaFile, 'client authorities')
  check({ cert: ca }, `The file ${clientCaFile} holds no certificates of client authorities in PEM form`)
  return { ...pair, ca, requestCert: true, rejectUnauthorized: true }
}

function check(options: SecureContextOptions, trouble: string): void {
  try {
    createSecureContext(options)
  } catch (error) {
    throw new InvalidInputError(`${trouble} (${errorMessage(error)}). Look whether the files are confused.`, {
      cause: error,
    })
  }
}

function read(path: string, what: string): string {
  const text = readText(path, what)
  // The library takes an empty text for none at all.
  if (text === '') throw new InvalidInputError(`The file of the ${what}, ${path}, is empty.`)
  return text
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new InvalidInputError(
      `The file of the ${what}, ${path}, cannot be read: ${errorMessage(error)}. Correct the path or its permissions.`,
      { cause: error },
    )
  }
}
