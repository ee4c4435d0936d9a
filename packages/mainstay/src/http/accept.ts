interface Range {
  readonly type: string
  readonly subtype: string
  readonly quality: number
  /** Whether it asks for more than a type, for example `;version=1`. */
  readonly isNarrow: boolean
}

/**
 * The offer that an `Accept` header likes best; among equals the first offer.
 *
 * @param options.exactly whether a range with parameters of its own covers no offer, because none has them
 * @returns undefined when the header is absent or none of the offers is acceptable (RFC 9110, 12.5.1)
 */
export function bestOffer(
  accept: string | undefined,
  offers: readonly string[],
  { exactly = false }: { exactly?: boolean } = {},
): string | undefined {
  if (accept === undefined) return undefined
  const ranges = accept
    .split(',')
    .flatMap(parseRange)
    .filter(({ isNarrow }) => !exactly || !isNarrow)
  let best: { offer: string; quality: number } | undefined
  for (const offer of offers) {
    const quality = qualityOf(offer, ranges)
    if (quality > (best?.quality ?? 0)) best = { offer, quality }
  }
  return best?.offer
}

/** The most specific range that covers the offer decides. */
function qualityOf(offer: string, ranges: readonly Range[]): number {
  const [type, subtype] = offer.split('/')
  let specific = -1
  let quality = 0
  for (const range of ranges) {
    if (range.type !== '*' && range.type !== type) continue
    if (range.subtype !== '*' && range.subtype !== subtype) continue
    const weight = Number(range.type !== '*') + Number(range.subtype !== '*')
    if (weight > specific) ({ specific, quality } = { specific: weight, quality: range.quality })
  }
  return quality
}

function parseRange(text: string): Range[] {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const [type, subtype] = name.split('/')
  if (type === undefined || subtype === undefined || type === '' || subtype === '') return []
  const weight = parameters.find((parameter) => parameter.startsWith('q='))
  const isNarrow = parameters.some((parameter) => parameter !== '' && !parameter.startsWith('q='))
  const quality = weight === undefined ? 1 : Number(weight.slice(2))
  return Number.isFinite(quality) ? [{ type, subtype, quality: Math.min(1, Math.max(0, quality)), isNarrow }] : []
}
