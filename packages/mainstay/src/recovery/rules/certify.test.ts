import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { requireCertificate } from '../../compute/index.ts'
import { certify, certifyAssertion, type FenceReport } from './certify.ts'

const NOW = 1_000_000
const OPTIONS = { now: NOW, validityMs: 600_000 }
const saw = (at: number): { at: number; source: string; saw: string } => ({ at, source: 'BMC', saw: 'off' })

describe('a certificate (goals, principles 1 and 2)', () => {
  test.each<[string, FenceReport[], string]>([
    ['no method at all', [], 'no fence method is configured for it'],
    ['a method that failed', [{ method: 'command', missing: 'no answer' }], 'command: no answer'],
    ['a method that saw nothing', [{ method: 'command', evidence: [] }], 'command: it saw nothing'],
    [
      'several of them',
      [
        { method: 'command', missing: 'no answer' },
        { method: 'simulated', evidence: [] },
      ],
      'command: no answer; simulated: it saw nothing',
    ],
  ])('is not made from %s, which says what is missing', (_what, reports, missing) => {
    expect(certify('h', reports, OPTIONS)).toEqual({ certificate: null, missing, stale: false })
  })

  test('is made from the first method that saw something, as old as the last thing seen', () => {
    const reports: FenceReport[] = [
      { method: 'command', missing: 'no answer' },
      { method: 'simulated', evidence: [saw(NOW - 2000), saw(NOW - 1000)] },
      { method: 'guests-destroyed', evidence: [saw(NOW)] },
    ]
    expect(certify('h', reports, OPTIONS)).toMatchObject({
      certificate: {
        host: 'h',
        method: 'simulated',
        provenAt: NOW - 1000,
        validUntil: NOW - 1000 + 600_000,
        assertedBy: null,
      },
    })
  })

  test.each([
    [600_000, true],
    [600_001, false],
  ])('is not made from what was seen %i ms ago: valid %s', (age, valid) => {
    const verdict = certify('h', [{ method: 'command', evidence: [saw(NOW - age)] }], OPTIONS)
    const refusal = { certificate: null, stale: true, missing: `command: what it saw is ${age} ms old` }
    expect(verdict).toMatchObject(valid ? { certificate: { validUntil: NOW } } : refusal)
  })

  test('by a person names the person and is as old as their word', () => {
    const assertion = { by: 'ops', reason: 'pulled the plug', at: NOW }
    expect(certifyAssertion('h', assertion, { validityMs: 1000 })).toEqual({
      host: 'h',
      method: 'asserted',
      evidence: [{ at: NOW, source: 'ops', saw: 'pulled the plug' }],
      provenAt: NOW,
      validUntil: NOW + 1000,
      assertedBy: 'ops',
    })
  })

  test('only ever opens the host that was asked about, and never without evidence or after its time', () => {
    const method = fc.constantFrom('command' as const, 'simulated' as const, 'guests-destroyed' as const)
    const evidence = fc.array(fc.integer({ min: 0, max: 2_000_000 }).map(saw), { maxLength: 3 })
    const report: fc.Arbitrary<FenceReport> = fc.oneof(
      fc.record({ method, evidence }),
      fc.record({ method, missing: fc.string() }),
    )
    fc.assert(
      fc.property(
        fc.string(),
        fc.string({ minLength: 1 }),
        fc.array(report, { maxLength: 4 }),
        fc.nat(2_000_000),
        fc.integer({ min: 1, max: 1_000_000 }),
        (host, suffix, reports, now, validityMs) => {
          const { certificate } = certify(host, reports, { now, validityMs })
          const seen = reports.some(
            (each) => 'evidence' in each && each.evidence.some(({ at }) => now - at <= validityMs),
          )
          expect(certificate !== null).toBe(seen)
          if (certificate === null) return
          expect(requireCertificate(certificate, host, now)).toBe(certificate)
          expect(() => requireCertificate(certificate, host + suffix, now)).toThrow('is for host')
          const late = certificate.validUntil + 1
          expect(() => requireCertificate(certificate, host, late)).toThrow('expired')
          expect(reports.some((each) => 'evidence' in each && each.evidence === certificate.evidence)).toBe(true)
        },
      ),
    )
  })
})
