import { describe, expect, test } from 'vitest'

import type { Json } from '../../core/json.ts'
import { FALSE_TEXTS, TRUE_TEXTS } from '../rules/boolean.ts'
import { createHost, updateHost } from './host-schema.ts'
import { createNotification, PAYLOADS } from './notification-schema.ts'
import { createSegment, createSegmentBase, updateSegment } from './segment-schema.ts'
import type { BodySchema } from './schema.ts'

function passes(schema: BodySchema<unknown>, body: Json): boolean {
  try {
    schema.check(body)
    return true
  } catch {
    return false
  }
}

const SEGMENT = { name: 'n', recovery_method: 'auto', service_type: 'COMPUTE' }
const HOST = { name: 'h', type: 'COMPUTE', control_attributes: 'SSH' }
const REPORT = { type: 'VM', hostname: 'h', generated_time: '2026-01-01', payload: {} }

describe('the schema dialect (ha-api 5.4)', () => {
  test.each([
    ['a', true],
    ['a'.repeat(255), true],
    ['a'.repeat(256), false],
    ['', false],
    [' a', false],
    ['a ', false],
    ['a\n', false],
    ['a\u00a0b', true],
    ['\u00a0a', false],
    ['a\tb', false],
    ['a\u2028b', false],
    ['a\u200bb', false],
    ['ünïcode 名前', true],
    ['smile 😀', false],
    ['\ud800', false],
    [5, false],
    [null, false],
  ])('the name %j is allowed: %s', (name, allowed) => {
    expect(passes(createSegment, { segment: { ...SEGMENT, name } })).toBe(allowed)
    expect(passes(createHost, { host: { ...HOST, name } })).toBe(allowed)
    expect(passes(createSegment, { segment: { ...SEGMENT, service_type: name } })).toBe(allowed)
  })

  test.each([
    ['any text\nwith lines\n', true],
    ['', true],
    [null, true],
    ['\t', false],
    ['\r', false],
    ['😀', false],
    [1, false],
    ['x'.repeat(100_000), true],
  ])('the description %j is allowed: %s', (description, allowed) => {
    expect(passes(createSegment, { segment: { ...SEGMENT, description } })).toBe(allowed)
  })

  test.each([...TRUE_TEXTS, ...FALSE_TEXTS, true, false])('%j is a boolean', (value) => {
    expect(passes(createSegment, { segment: { ...SEGMENT, enabled: value } })).toBe(true)
    expect(passes(updateHost, { host: { reserved: value } })).toBe(true)
  })

  test.each(['y', 't', 'n', 'f', 'tRue', '', 'true\n', 1, 0, null, []])('%j is no boolean', (value) => {
    expect(passes(createSegment, { segment: { ...SEGMENT, enabled: value } })).toBe(false)
    expect(passes(updateHost, { host: { on_maintenance: value } })).toBe(false)
  })

  test.each([
    ['', true],
    ['aZ09', true],
    ['a-b', false],
    ['a'.repeat(255), true],
    ['a'.repeat(256), false],
    ['a\n', false],
    [null, false],
  ])('the host type %j is allowed: %s', (type, allowed) => {
    expect(passes(createHost, { host: { ...HOST, type } })).toBe(allowed)
  })

  test('control_attributes may be empty but not null', () => {
    expect(passes(createHost, { host: { ...HOST, control_attributes: '' } })).toBe(true)
    expect(passes(createHost, { host: { ...HOST, control_attributes: null } })).toBe(false)
  })

  test.each([
    ['compute-1.example_x', true],
    ['', false],
    ['a b', false],
    ['a\n', false],
    ['é', false],
    ['a'.repeat(255), true],
    ['a'.repeat(256), false],
  ])('the hostname %j is allowed: %s', (hostname, allowed) => {
    expect(passes(createNotification, { notification: { ...REPORT, hostname } })).toBe(allowed)
  })

  test.each([
    ['2026-01-01', true],
    ['2026-01-01 10:00', true],
    ['20260101T100000Z', true],
    ['2026-01-01T00:00:00.123456+02:00', true],
    ['yesterday', false],
    ['', false],
    [5, false],
  ])('the time %j is allowed: %s', (time, allowed) => {
    expect(passes(createNotification, { notification: { ...REPORT, generated_time: time } })).toBe(allowed)
  })

  test.each([
    [{}, true],
    [{ 'a-b_c:d. e': 'x' }, true],
    [{ '': 'x' }, false],
    [{ 'a/b': 'x' }, false],
    [{ ['k'.repeat(255)]: 'x' }, true],
    [{ ['k'.repeat(256)]: 'x' }, false],
    [{ a: 'x'.repeat(255) }, true],
    [{ a: 'x'.repeat(256) }, false],
    [{ a: 1 }, false],
    [{ a: null }, false],
    [[], false],
    ['x', false],
  ])('the payload %j is allowed in general: %s', (payload, allowed) => {
    expect(passes(createNotification, { notification: { ...REPORT, payload } })).toBe(allowed)
  })

  test.each([
    ['COMPUTE_HOST', { event: 'STOPPED' }, true],
    ['COMPUTE_HOST', { event: 'STARTED', host_status: 'UNKNOWN', cluster_status: 'ONLINE' }, true],
    ['COMPUTE_HOST', { event: 'stopped' }, false],
    ['COMPUTE_HOST', { host_status: 'NORMAL' }, false],
    ['COMPUTE_HOST', { event: 'STOPPED', extra: 'x' }, false],
    ['PROCESS', { event: 'STOPPED', process_name: 'nova-compute' }, true],
    ['PROCESS', { event: 'STOPPED', process_name: '' }, false],
    ['PROCESS', { event: 'OTHER', process_name: 'x' }, false],
    ['PROCESS', { event: 'STOPPED' }, false],
    ['VM', { instance_uuid: 'd6b1b1f2-0a3b-4c5d-8e9f-001122334455', event: 'x', vir_domain_event: 'y' }, true],
    ['VM', { instance_uuid: '{D6B1B1F20A3B4C5D8E9F001122334455}', event: 'x', vir_domain_event: 'y' }, true],
    ['VM', { instance_uuid: 'vm-1', event: 'x', vir_domain_event: 'y' }, false],
    ['VM', { instance_uuid: 'd6b1b1f2-0a3b-4c5d-8e9f-001122334455', event: '', vir_domain_event: 'y' }, false],
  ] as const)('a %s payload %j is allowed: %s', (type, payload, allowed) => {
    expect(passes(PAYLOADS[type], payload)).toBe(allowed)
  })

  test('bodies are closed at both levels, and an update needs a member', () => {
    expect(passes(createSegment, { segment: SEGMENT })).toBe(true)
    expect(passes(createSegment, { segment: SEGMENT, more: 1 })).toBe(false)
    expect(passes(createSegment, { segment: { ...SEGMENT, more: 1 } })).toBe(false)
    expect(passes(createSegmentBase, { segment: { ...SEGMENT, enabled: true } })).toBe(false)
    expect(passes(updateSegment, { segment: {} })).toBe(false)
    expect(passes(updateHost, { host: {} })).toBe(false)
    expect(passes(createSegment, null)).toBe(false)
    expect(passes(createSegment, [])).toBe(false)
  })

  test.each([
    [{ segment: { ...SEGMENT, colour: 'red' } }, /colour/],
    [{ segment: { ...SEGMENT, name: '' } }, /segment\.name.*Value: ""/],
    [{ segment: { ...SEGMENT, recovery_method: 'magic' } }, /segment\.recovery_method.*"magic"/],
    [{ segment: { name: 'n', recovery_method: 'auto' } }, /service_type/],
    [null, /body.*null/],
  ])('the error for %j names what is wrong', (body, message) => {
    expect(() => createSegment.check(body)).toThrow(message)
  })
})
