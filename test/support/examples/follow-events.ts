import { openEventStream } from 'mainstay/client'

const stream = openEventStream({
  endpoint: process.env['MAINSTAY_ENDPOINT'] ?? 'http://127.0.0.1:15868',
  filters: { event_filters: ['recovery.**', 'baremetal.**'], min_severity: 'info' },
  since: process.argv[2] ?? 'latest',
  onReset: ({ reason }) => process.stderr.write(`fetch the state anew: ${reason}\n`),
})

for await (const event of stream) {
  process.stdout.write(`${event.severity} ${event.event_type} ${event.node_name ?? ''}\n`)
  // Keep stream.cursor somewhere: with it as `since` the next run goes on here.
}
