import { isJsonObject, parseJson, type JsonObject } from '../../../packages/mainstay/src/core/json.ts'
import type { RawAnswer, RawRequest } from './kept-connection.ts'

interface Host {
  readonly segment: string
  readonly uuid: string
  readonly name: string
}

interface Vmove {
  readonly notification: string
  readonly uuid: string
}

/** So many of each kind are known at a time: old ones make way, so that records in use do not pile up. */
const MOST = 40

/**
 * The records that exist, learned from the answers, for requests that are about real ones.
 *
 * `{segment:7}`, `{host:7}`, `{hostName:7}`, `{hostSegment:7}`, `{notification:7}`, `{vmove:7}`, `{vmoveParent:7}` and
 * `{gone:7}` in a request stand for a property of one of the known records; the same number means the same record.
 */
export class KnownRecords {
  #segments: string[] = []
  #hosts: Host[] = []
  #notifications: string[] = []
  #vmoves: Vmove[] = []
  #gone: string[] = []

  readonly #places: Readonly<Record<string, (index: number) => string | undefined>> = {
    segment: (index) => pick(this.#segments, index),
    host: (index) => pick(this.#hosts, index)?.uuid,
    hostName: (index) => pick(this.#hosts, index)?.name,
    hostSegment: (index) => pick(this.#hosts, index)?.segment,
    notification: (index) => pick(this.#notifications, index),
    vmove: (index) => pick(this.#vmoves, index)?.uuid,
    vmoveParent: (index) => pick(this.#vmoves, index)?.notification,
    gone: (index) => pick(this.#gone, index),
  }

  /** Puts real records where the request leaves room for them. */
  fill<Request extends RawRequest>(request: Request): Request {
    return { ...request, target: this.#fillText(request.target), body: this.#fillText(request.body) }
  }

  /** A move that was stored without the API. */
  addVmove(vmove: Vmove): void {
    this.#vmoves = [...this.#vmoves, vmove].slice(-MOST)
  }

  /** Remembers what a request has made, changed or deleted. */
  learn({ method, target }: RawRequest, { status, text }: RawAnswer): void {
    if (method === 'DELETE' && status === 204) return this.#forget(target)
    if (status < 200 || status > 202 || (method !== 'POST' && method !== 'PUT')) return
    // The health check answers every method, and not in JSON.
    if (!target.startsWith('/v1/')) return
    const body = parseJson(text, 'An answer')
    if (!isJsonObject(body)) return
    const { segment, host, notification } = body
    if (isJsonObject(segment) && status === 201) this.#segments = newest(this.#segments, textOf(segment, 'uuid'))
    if (isJsonObject(host)) this.#learnHost(host)
    if (isJsonObject(notification)) {
      this.#notifications = newest(this.#notifications, textOf(notification, 'notification_uuid'))
    }
  }

  #learnHost(host: JsonObject): void {
    const [uuid, name, segment] = [textOf(host, 'uuid'), textOf(host, 'name'), textOf(host, 'failover_segment_id')]
    this.#hosts = newest(
      this.#hosts.filter((known) => known.uuid !== uuid),
      { uuid, name, segment },
    )
  }

  #forget(target: string): void {
    const isNamed = (uuid: string): boolean => target.includes(uuid)
    const hosts = this.#hosts.filter(({ uuid, segment }) => isNamed(uuid) || isNamed(segment))
    // A path that names a host is about that host, not about its segment.
    const named = hosts.filter(({ uuid }) => isNamed(uuid))
    const [gone, segments] = named.length > 0 ? [named, []] : [hosts, this.#segments.filter(isNamed)]
    this.#hosts = this.#hosts.filter((host) => !gone.includes(host))
    this.#segments = this.#segments.filter((uuid) => !segments.includes(uuid))
    this.#gone = [...this.#gone, ...gone.map(({ uuid }) => uuid), ...segments].slice(-MOST)
  }

  #fillText(text: string): string {
    return text.replaceAll(/\{(\w+):(\d+)\}/g, (all, kind: string, index: string) => {
      const place = Object.hasOwn(this.#places, kind) ? this.#places[kind] : undefined
      return place?.(Number(index)) ?? all
    })
  }
}

function newest<Item>(items: readonly Item[], item: Item): Item[] {
  return [...items, item].slice(-MOST)
}

function pick<Item>(items: readonly Item[], index: number): Item | undefined {
  return items[index % Math.max(items.length, 1)]
}

function textOf(object: JsonObject, name: string): string {
  const text = object[name]
  if (typeof text !== 'string') throw new Error(`An answer has no text ${name}.`)
  return text
}
