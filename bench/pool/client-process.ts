import { acquireAndRelease, type PairsOptions } from './pairs.ts'
import { openPool, type Place } from './place.ts'

/** One of several client processes: opens the pool, says that it is ready, works when told to, and says what it did. */
const [place, options] = process.argv.slice(2) as [Place, string]
const opened = await openPool(place)
process.on('message', () => {
  void (async () => {
    const { pairs, elapsedMs } = await acquireAndRelease(opened.pool, JSON.parse(options) as PairsOptions)
    tell({ pairs, elapsedMs })
    await opened[Symbol.asyncDispose]()
    process.disconnect?.()
  })()
})
tell('ready')

function tell(what: object | string): void {
  if (process.send === undefined) throw new Error('This is run by the benchmark `pool`.')
  process.send(what)
}
