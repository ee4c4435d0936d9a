import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'

import { Metrics } from '../../packages/mainstay/src/core/metrics.ts'
import { PoolMetrics } from '../../packages/mainstay/src/pool/metrics.ts'
import { VM_STATES } from '../../packages/mainstay/src/pool/state.ts'

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string }
}

const FILE = fileURLToPath(new URL('../../docs/reference/pool-alerts.yaml', import.meta.url))
const rules = (parse(readFileSync(FILE, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
)

/** Every metric of the pool with its labels. */
async function metrics(): Promise<Map<string, readonly string[]>> {
  const all = new Metrics()
  void new PoolMetrics(all)
  const found = new Map<string, readonly string[]>()
  for (const { name } of await all.registry.getMetricsAsJSON()) {
    const { labelNames = [] } = all.registry.getSingleMetric(name) as unknown as { labelNames?: readonly string[] }
    found.set(name, labelNames)
  }
  return found
}

describe('alert rules of the pool (C16)', () => {
  test('C16 name what the specification asks for', () => {
    expect(rules.map(({ alert }) => alert)).toEqual(
      expect.arrayContaining([
        'MainstayPoolNoSpawns',
        'MainstayPoolBelowMinimum',
        'MainstayPoolLeaks',
        'MainstayPoolStuckTerminations',
      ]),
    )
  })

  test.each(rules.map((rule) => [rule.alert, rule] as const))(
    'C16 %s uses metrics and labels that exist',
    async (_alert, rule) => {
      const known = await metrics()
      const used = [...rule.expr.matchAll(/\b(mainstay_\w+?)(?:_bucket|_count|_sum)?(?=[{[\s)]|$)(?:\{([^}]*)\})?/g)]
      expect(used.length).toBeGreaterThan(0)
      for (const [, name = '', selectors = ''] of used) {
        expect([...known.keys()]).toContain(name)
        for (const [, label = ''] of selectors.matchAll(/(\w+)=~?"/g)) expect(known.get(name)).toContain(label)
      }
      const grouped = [...rule.expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, names = '']) =>
        names.split(',').map((each) => each.trim()),
      )
      const labels = used.flatMap(([, name = '']) => known.get(name) ?? [])
      expect([...labels, 'le']).toEqual(expect.arrayContaining(grouped))
      const told = [...`${rule.annotations.summary} ${rule.annotations.description}`.matchAll(/\$labels\.(\w+)/g)]
      for (const [, label = ''] of told) expect(labels).toContain(label)
      expect(rule.annotations.description.length).toBeGreaterThan(20)
      expect(['critical', 'warning', 'info']).toContain(rule.labels.severity)
    },
  )

  test('C16 states that rules name exist', () => {
    const named = rules.flatMap(({ expr }) => [...expr.matchAll(/state="(\w+)"/g)].map(([, state]) => state!))
    expect(VM_STATES).toEqual(expect.arrayContaining(named))
  })
})
