import { expect, test } from 'vitest'

import { Metrics } from './metrics.ts'

test('two processes in one test each have their own figures', async () => {
  const [one, two] = [new Metrics(), new Metrics()]
  one.counter('mainstay_acts_total', 'Acts.', ['kind']).inc({ kind: 'evacuate' }, 2)
  two.gauge('mainstay_acts_total', 'Something else under the same name.').set(7)
  expect(await one.text()).toContain('mainstay_acts_total{kind="evacuate"} 2')
  expect(await two.text()).toContain('mainstay_acts_total 7')
})

test('a histogram of seconds tells a millisecond from a minute', async () => {
  const metrics = new Metrics()
  const waits = metrics.seconds('mainstay_wait_seconds', 'Waits.')
  waits.observe(0.0008)
  waits.observe(61)
  const text = await metrics.text()
  expect(text).toContain('mainstay_wait_seconds_bucket{le="0.001"} 1')
  expect(text).toContain('mainstay_wait_seconds_bucket{le="60"} 1')
  expect(text).toContain('mainstay_wait_seconds_bucket{le="300"} 2')
})

test('the figures of the Node process are there when asked for', async () => {
  const metrics = new Metrics()
  metrics.collectProcess()
  expect(await metrics.text()).toContain('process_resident_memory_bytes')
})
