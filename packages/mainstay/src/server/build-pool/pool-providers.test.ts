import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, onTestFinished, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import type { Provider } from '../../pool/provider/provider.ts'
import { loadConfig } from '../config/load.ts'
import { poolProviders } from './pool-providers.ts'

/** The providers of a configuration file. */
async function providersOf(toml: string): Promise<Provider[]> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-pool-config-'))
  onTestFinished(async () => await rm(directory, { recursive: true }))
  await writeFile(join(directory, 'template.xml'), '<domain/>')
  const file = join(directory, 'mainstay.toml')
  await writeFile(file, toml.replaceAll('HERE', directory))
  const { pool } = await loadConfig({ file })
  return poolProviders(pool.providers, { clock: new ManualClock(), installation: 'ours' }).map((each) => each.provider)
}

const libvirt = (template: string): string => `
  [[pool.providers]]
  name = "kvm-1"
  driver = "libvirt"
  [[pool.providers.libvirt.templates]]
  ${template}
`

describe('the providers of a configuration', () => {
  test('are built with what they can do', async () => {
    const all = await providersOf(`
      [[pool.providers]]
      name = "play"
      driver = "simulated"

      [[pool.providers]]
      name = "scripts"
      driver = "command"
      command = { create = ["spawn"], destroy = ["end"], list = ["list"], list_resources = ["l"], destroy_resource = ["d"] }

      ${libvirt('file = "HERE/template.xml"\n disk_base = "/images/base.qcow2"')}
    `)
    const seen = all.map(({ name, driver, installation, capabilities }) => {
      return [name, driver, installation, capabilities.standby, capabilities.resources.length > 0]
    })
    expect(seen).toEqual([
      ['play', 'simulated', 'ours', true, true],
      ['scripts', 'command', 'ours', false, true],
      ['kvm-1', 'libvirt', 'ours', true, true],
    ])
    await Promise.all(all.map(async (each) => await each.close()))
  })

  test.each([
    ['a template that is not there', libvirt('file = "HERE/none.xml"'), 'cannot be read'],
    ['no addresses to give', libvirt('file = "HERE/template.xml"\n address = "static"'), 'no addresses to give'],
    ['an address that is none', libvirt('file = "HERE/template.xml"\n addresses = ["10.0.0.0/8"]'), '10.0.0.0/8'],
    ['no table', '[[pool.providers]]\n name = "kvm-1"\n driver = "libvirt"', 'needs its table libvirt'],
    ['no programs', '[[pool.providers]]\n name = "s"\n driver = "command"', 'needs its programs'],
    ['a name twice', '[[pool.providers]]\n name = "a"\n driver = "simulated"\n'.repeat(2), 'two providers named a'],
  ])('with %s are refused', async (_what, toml, message) => {
    await expect(providersOf(toml)).rejects.toThrow(message)
  })
})
