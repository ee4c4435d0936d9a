import { asked, shown } from './shown.ts'

/** What is used here of the browser's own class. */
interface Source {
  addEventListener(type: 'message', listener: (event: { readonly data: string }) => void): void
}

const { EventSource } = globalThis as unknown as { EventSource: new (url: string) => Source }

/** A page that follows the stream with nothing but what browsers have. */
const source = new EventSource(`${asked.get('endpoint')}/v1/events/sse?since=earliest&named=0`)
source.addEventListener('message', ({ data }) => void shown.seqs.push((JSON.parse(data) as { seq: number }).seq))
