import { expect, test } from 'vitest'

import type { ComputeHostRecord } from '../client/index.ts'
import { answeringServer, type AnsweringServer } from '../client/testing/answering-server.ts'
import { runCommand, type CommandOutcome } from './testing/run-command.ts'

const HOST: ComputeHostRecord = {
  name: 'host-001',
  state: 'up',
  enabled: false,
  disabledReason: 'it died',
  memoryMib: 4096,
  freeMemoryMib: 1024,
  vcpus: 8,
}

async function serverWithHost(): Promise<AnsweringServer> {
  return await answeringServer(({ method }) => ({ body: method === 'GET' ? { hosts: [HOST] } : { ...HOST } }))
}

async function mainstay({ endpoint }: AnsweringServer, argv: readonly string[]): Promise<CommandOutcome> {
  return await runCommand(['compute-host', ...argv, '--endpoint', endpoint])
}

test('the hosts of the platform are listed with why they take no guests', async () => {
  await using server = await serverWithHost()
  const { code, stdout } = await mainstay(server, ['list'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/host-001 +\| up +\| False +\| it died/)
})

test.each(['enable', 'disable'])('%s gives the reason to the server; a dry run does not', async (action) => {
  await using server = await serverWithHost()
  const argv = [action, 'host-001', '--reason', 'repaired']
  const plan = await mainstay(server, [...argv, '--dry-run'])
  expect(plan.stdout).toContain(`Would ${action} the host host-001. Nothing was changed.`)
  expect(server.requests).toEqual([])
  expect((await mainstay(server, argv)).code).toBe(0)
  expect(server.requests).toMatchObject([
    { method: 'POST', path: `/api/v1/compute-hosts/host-001/${action}`, body: { reason: 'repaired' } },
  ])
})

test('without a reason nothing is asked', async () => {
  await using server = await serverWithHost()
  expect((await mainstay(server, ['enable', 'host-001'])).code).not.toBe(0)
  expect(server.requests).toEqual([])
})
