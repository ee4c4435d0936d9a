import type { EventEmitter } from 'node:events'
import { finished, PassThrough, pipeline } from 'node:stream'
import { types } from 'node:util'
import { ownData } from '../core/is-mock.ts'

/**
 * Listeners that nobody's code has put there. Node listens itself on a stream that something is piped into, that is being
 * read or waited for: on the standard output for as long as a worker thread lives. They are no leak, and taking one away
 * would break the pipe that it serves.
 *
 * A function does not tell its file. What Node adds is therefore looked up on streams of our own, once, and recognised by
 * its text.
 */
export function isOfRuntime(listener: object): boolean {
  const text = textOf(listener)
  return text !== null && (forWholeProcess.test(text) || (texts ??= textsOfStreams()).has(text))
}

/** `on-exit-leak-free`, which log libraries use, listens once for the whole process from its first use on. */
const forWholeProcess = /^function on(Before)?Exit \(\) \{\s*callRefs\(/

let texts: ReadonlySet<string> | null = null

function textsOfStreams(): ReadonlySet<string> {
  const [from, to, source, target, read] = Array.from({ length: 5 }, () => new PassThrough())
  const before = textsOn(new PassThrough())
  from!.pipe(to!)
  // Neither ends, so neither callback ever has anything to say.
  pipeline([source!, target!], () => undefined)
  const stop = finished(read!, () => undefined)
  const iterating = read![Symbol.asyncIterator]()
  void iterating.next()
  const found = new Set([from!, to!, source!, target!, read!].flatMap(textsOn))
  stop()
  for (const text of before) found.delete(text)
  return found
}

function textsOn(emitter: EventEmitter): string[] {
  return emitter
    .eventNames()
    .flatMap((event) => emitter.rawListeners(event))
    .map(textOf)
    .filter((text) => text !== null)
}

function textOf(listener: object): string | null {
  const inner = ownData(listener, 'listener') ?? listener
  if (typeof inner !== 'function' || types.isProxy(inner)) return null
  const text = Function.prototype.toString.call(inner)
  // What is bound or native looks the same whoever has made it.
  return text.includes('[native code]') ? null : text
}
