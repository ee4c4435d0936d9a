import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { commandInventory, InventoryCommandError, NO_INVENTORY } from './command-inventory.ts'

const { signal } = new AbortController()
const timeoutMs = 30_000
const APPEND = `require('node:fs').appendFileSync(process.argv[1], process.argv.slice(2).join('|') + '\\n')`

test('a program is told of each change, without a shell', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'inventory-'))
  const file = join(directory, 'told')
  const command = [process.execPath, '-e', APPEND, file, '{task}', 'node={node}', '{value}'] as const
  const inventory = commandInventory({ command: [...command], timeoutMs, signal })
  await inventory.setPowerState('node-1; rm -rf /', 'power {node}')
  await inventory.setProvisionState('node-1', null)
  await inventory.setMaintenance('node-1', { state: true })
  const told = await readFile(file, 'utf8')
  await rm(directory, { recursive: true })
  expect(told).toBe('power|node=node-1; rm -rf /|power {node}\nprovision|node=node-1|\nmaintenance|node=node-1|true\n')
})

test('a program that fails says why', async () => {
  const command = [process.execPath, '-e', 'console.error("no such node"); process.exit(3)'] as const
  const inventory = commandInventory({ command: [...command], timeoutMs, signal })
  const telling = inventory.setPowerState('node-1', 'power on')
  await expect(telling).rejects.toThrow(InventoryCommandError)
  await expect(telling).rejects.toThrow(/ended with 3 \(no such node\)/)
})

test('without an inventory nothing is told', async () => {
  await expect(NO_INVENTORY.setPowerState('n', null)).resolves.toBeUndefined()
  await expect(NO_INVENTORY.setProvisionState('n', null)).resolves.toBeUndefined()
  await expect(NO_INVENTORY.setMaintenance('n', { state: false })).resolves.toBeUndefined()
})
