/** Requests to a server, as plain as they can be: the crash tests trust no client of ours. */
export class ServeClient {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** @returns the status and, where the answer is a JSON object, the object */
  async request(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { 'content-type': 'application/json', 'openstack-api-version': 'instance-ha 1.3' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    })
    const text = await response.text()
    return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : undefined }
  }
}
