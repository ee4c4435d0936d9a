import { expect, test } from 'vitest'

import { loadConfig } from '../server/config/load.ts'
import { ConfigSchema } from '../server/config/schema.ts'
import { RECOVERY_STATUSES as KNOWN_STATUSES } from '../client/index.ts'
import { COMPUTE_DRIVERS, RECOVERY_STATUSES, SERVER_ROLES } from './choices.ts'
import { runCommand } from './testing/run-command.ts'

const { server, compute } = ConfigSchema.properties

test('the command line offers the roles and drivers that the server knows, and no others', () => {
  const roles = server.properties.roles.items.anyOf.map((role) => role.const)
  const drivers = compute.properties.driver.anyOf.map((driver) => driver.const)
  expect({ roles, drivers }).toEqual({ roles: [...SERVER_ROLES], drivers: [...COMPUTE_DRIVERS] })
  expect(RECOVERY_STATUSES).toEqual(KNOWN_STATUSES)
})

test('each of them is taken', async () => {
  for (const role of SERVER_ROLES) {
    expect((await loadConfig({ overrides: { 'server.roles': [role] } })).server.roles).toEqual([role])
  }
  for (const driver of COMPUTE_DRIVERS) {
    const config = await loadConfig({ overrides: { 'compute.driver': driver } })
    expect(config.compute.driver).toBe(driver)
  }
})

test.each([
  ['serve', '--compute', 'openstack', /none of simulated, libvirt/],
  ['serve', '--roles', 'api,dashboard', /"dashboard" is none of api, engine, pool, events/],
  ['recovery list', '--status', 'x', /none of pending, running, waiting, held, completed, failed, cancelled/],
])('%s %s %s is wrong usage', async (command, flag, value, reason) => {
  const { code, stderr } = await runCommand([...command.split(' '), flag, value])
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(reason) as unknown })
})
