import { describe, expect, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import { INSTANCE_NAMESPACE, NOVA_NAMESPACE, describeDomain } from './domain-description.ts'

const UUID = '8a3e6d0c-53a5-4f0e-9f3b-2f0a6a6a1c11'

function domain(inside: string): string {
  return `<domain type='kvm'><name>instance-00000001</name><uuid>${UUID.toUpperCase()}</uuid>${inside}</domain>`
}

describe('the XML of a domain', () => {
  test('tells name, id, memory and processors', () => {
    const xml = domain(`<memory unit='KiB'>2097152</memory><vcpu placement='static'>4</vcpu>`)
    expect(describeDomain(xml)).toMatchObject({
      uuid: UUID,
      name: 'instance-00000001',
      memoryMib: 2048,
      vcpus: 4,
      metadata: {},
      projectId: null,
    })
  })

  test.each([
    [`<memory>1048576</memory>`, 1024],
    [`<memory unit='MiB'>512</memory>`, 512],
    [`<memory unit='GiB'>2</memory>`, 2048],
    [`<memory unit='b'>1048577</memory>`, 2],
    [``, 0],
  ])('reads %s as %i MiB', (memory, memoryMib) => {
    expect(describeDomain(domain(memory)).memoryMib).toBe(memoryMib)
  })

  test('tells metadata and project from our namespace', () => {
    const xml = domain(`<metadata><m:instance xmlns:m='${INSTANCE_NAMESPACE}'>
      <m:project>p1</m:project><m:meta key='HA_Enabled'>True</m:meta><m:meta key='role'>a &amp; b</m:meta><m:meta>lost</m:meta>
    </m:instance></metadata>`)
    expect(describeDomain(xml)).toMatchObject({ metadata: { HA_Enabled: 'True', role: 'a & b' }, projectId: 'p1' })
  })

  test("tells name and project from Nova's namespace, where ours does not", () => {
    const nova = `<nova:instance xmlns:nova='${NOVA_NAMESPACE}'>
      <nova:name>web-1</nova:name><nova:owner><nova:user uuid='u'>u</nova:user><nova:project uuid='p2'>shop</nova:project></nova:owner>
    </nova:instance>`
    expect(describeDomain(domain(`<metadata>${nova}</metadata>`))).toMatchObject({ name: 'web-1', projectId: 'p2' })
    const ours = `<instance xmlns='${INSTANCE_NAMESPACE}'><project>p1</project></instance>`
    expect(describeDomain(domain(`<metadata>${nova}${ours}</metadata>`)).projectId).toBe('p1')
  })

  test('does not take the metadata of others for ours', () => {
    const xml = domain(
      `<metadata><m:instance xmlns:m='urn:other'><m:meta key='HA_Enabled'>True</m:meta></m:instance></metadata>`,
    )
    expect(describeDomain(xml).metadata).toEqual({})
  })

  test.each([`<network/>`, `<domain/>`, `<domain><uuid>${UUID}</uuid></domain>`, `<domain><name>a</name></domain>`])(
    'refuses %s',
    (xml) => expect(() => describeDomain(xml)).toThrow(InvalidInputError),
  )
})
