import { TestkitError } from '../errors.ts'
import type { ReaperClient } from '../reaper/reaper-client.ts'
import { TcpProxy, type ProxyTarget } from './tcp-proxy.ts'

/** Which way a proxy stands in: to a listener of a server, for everybody or for one dependant. */
interface Way {
  readonly server: string
  readonly listen: string
  readonly from?: string | undefined
}

/** The proxies of a cluster. */
export class ProxyBoard {
  readonly #note: (text: string) => void
  readonly #reaper: ReaperClient
  readonly #proxies: { way: Way; proxy: TcpProxy }[] = []
  readonly #opening: { way: Way; proxy: Promise<TcpProxy> }[] = []

  constructor(note: (text: string) => void, reaper: ReaperClient) {
    this.#note = note
    this.#reaper = reaper
  }

  /** The proxy of a way, opened at the first call; a call beside the first gets the same. */
  async open(way: Way, target: ProxyTarget, seed?: number): Promise<TcpProxy> {
    const known = this.#find(way) ?? this.#opening.find((entry) => sameWay(entry.way, way))?.proxy
    if (known !== undefined) return await known
    const entry = { way, proxy: this.#open(way, target, seed) }
    this.#opening.push(entry)
    try {
      return await entry.proxy
    } finally {
      this.#opening.splice(this.#opening.indexOf(entry), 1)
    }
  }

  async #open(way: Way, target: ProxyTarget, seed: number | undefined): Promise<TcpProxy> {
    const label = `${way.from ?? '*'} → ${way.server}.${way.listen}`
    const proxy = await TcpProxy.open(target, {
      note: (text) => this.#note(`${label}: ${text}`),
      reaper: this.#reaper,
      ...(seed === undefined ? {} : { seed }),
    })
    this.#proxies.push({ way, proxy })
    return proxy
  }

  /** The port that stands for a listener, as one dependant sees it: its own proxy, the common one, or none. */
  portFor(way: Required<Way>): number | undefined {
    return (this.#find(way) ?? this.#find({ ...way, from: undefined }))?.port
  }

  async partition(from: string, to: string): Promise<{ readonly heal: () => Promise<void> }> {
    const cut = this.#proxies.filter(
      ({ way }) => (way.from === from && way.server === to) || (way.from === to && way.server === from),
    )
    if (cut.length === 0) {
      throw new TestkitError(
        'TK_FAULT_UNSUPPORTED',
        `there is no proxy between "${from}" and "${to}": call cluster.proxy('${to}', { from: '${from}' }) before "${from}" starts`,
      )
    }
    this.#note(`partition ${from} | ${to}`)
    await Promise.all(cut.map(({ proxy }) => proxy.down()))
    return {
      heal: async () => {
        this.#note(`partition ${from} | ${to} healed`)
        await Promise.all(cut.map(({ proxy }) => proxy.up()))
      },
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#opening.map(({ proxy }) => proxy))
    await Promise.all(this.#proxies.map(({ proxy }) => proxy.close()))
  }

  #find(way: Way): TcpProxy | undefined {
    return this.#proxies.find((entry) => sameWay(entry.way, way))?.proxy
  }
}

function sameWay(one: Way, other: Way): boolean {
  return one.server === other.server && one.listen === other.listen && one.from === other.from
}
