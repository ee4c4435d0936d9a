import { ALL_EVENTS } from '../../packages/mainstay/src/events/access/scope.ts'
import { parseFilter, type EventFilter } from '../../packages/mainstay/src/events/filter/index.ts'
import { nativeFormat } from '../../packages/mainstay/src/events/format/native.ts'
import { Channels } from '../../packages/mainstay/src/events/hub/channels.ts'
import { DEFAULT_HUB_OPTIONS } from '../../packages/mainstay/src/events/hub/options.ts'
import { Pages } from '../../packages/mainstay/src/events/hub/pages.ts'
import { frameDialect } from '../../packages/mainstay/src/events/websocket/frame-dialect.ts'
import type { BenchOptions, BenchResult } from '../run.ts'
import { sampleEvent } from './sample-event.ts'

const FILTERS = 500
const RATE = 1000
const SECONDS = 5

/** What of one core holding 1,000 events a second against 500 different filters takes. */
export async function matching({ log }: BenchOptions): Promise<BenchResult[]> {
  const pages = new Pages({ read: async () => [] }, DEFAULT_HUB_OPTIONS)
  const channels = new Channels(pages, DEFAULT_HUB_OPTIONS)
  const dialect = frameDialect(nativeFormat)
  const listening = Array.from({ length: FILTERS }, (_, number) =>
    channels.acquire({ filter: filterOf(number), scope: ALL_EVENTS, dialect }),
  )
  if (channels.audiences !== FILTERS) throw new Error('Some of the filters are the same.')
  let spentMs = 0
  let seq = 0
  for (let second = 0; second <= SECONDS; second += 1) {
    for (let index = 0; index < RATE; index += 1) {
      seq += 1
      pages.append([{ ...sampleEvent(seq), seq, epoch: 'e', cursor: `e:${seq}` }], { keep: true })
      const page = pages.holding(seq)!
      const before = process.cpuUsage()
      for (const { audience } of listening) audience.select(page, seq - 1)
      const { user, system } = process.cpuUsage(before)
      // The first second warms up.
      if (second > 0) spentMs += (user + system) / 1000
    }
  }
  const share = Number((spentMs / (SECONDS * 10)).toFixed(1))
  log(`${FILTERS} filters, ${RATE} events/s: ${share} % of one core`)
  return [{ metric: 'matching_core_percent', params: { filters: FILTERS, rate: RATE }, value: share, unit: '%' }]
}

/** Filters as people write them: by type, by pattern, by node, by severity and service. */
function filterOf(number: number): EventFilter {
  const kinds = [
    { event_filters: [`baremetal.node.action_${number}.end`, 'baremetal.node.power_set.end'] },
    { event_filters: [`baremetal.**.phase_${number}`, `*.port.step_${number}.*`] },
    { node_filters: [`node-${number}`, `compute-${number}-*`] },
    { service_filters: ['nova', 'neutron'], event_filters: [`!port.delete.${number}`] },
    { min_severity: 'warning', resource_ids: [`r-${number}`] },
  ]
  return parseFilter(kinds[number % kinds.length]!)
}
