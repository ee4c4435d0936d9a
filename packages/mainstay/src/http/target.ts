/** The parts of a request target (`/v1/segments?limit=1`), decoded without ever failing. */
export interface Target {
  /** Decoded, several slashes as one; bytes that are not UTF-8 become replacement characters. */
  readonly path: string
  /** As it was sent, for links. */
  readonly rawPath: string
  readonly query: URLSearchParams
}

const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i

export function parseTarget(target: string): Target {
  const relative = target.replace(ABSOLUTE_FORM, '')
  const mark = relative.indexOf('?')
  const rawPath = (mark === -1 ? relative : relative.slice(0, mark)) || '/'
  const query = new URLSearchParams(mark === -1 ? '' : relative.slice(mark + 1))
  return { path: decodeLeniently(rawPath).replace(/\/{2,}/g, '/'), rawPath, query }
}

/**
 * A target that a strict router takes: escapes that are broken, or that are not UTF-8, are escaped once more. Only
 * routing sees it.
 */
export function routableTarget(target: string): string {
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  try {
    decodeURIComponent(path)
    return target
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    return path.replaceAll('%', '%25') + (mark === -1 ? '' : target.slice(mark))
  }
}

function decodeLeniently(text: string): string {
  if (!text.includes('%')) return text
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  )
}
