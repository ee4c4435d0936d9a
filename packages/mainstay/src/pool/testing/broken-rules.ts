import type { VmDescriptor } from '../descriptor.ts'
import type { LabelOptions, PoolConfiguration } from '../options.ts'
import { carries } from '../sizing/ledger.ts'
import { ACTIVE_STATES } from '../state.ts'
import type { PoolStore } from '../store.ts'

/**
 * Which promises of the pool do not hold now; empty when all is well: every limit of the configuration, leases with the
 * machines in use and with nobody else.
 *
 * @param labels limits of labels, over all groups that carry them
 *
 * Source: vm-pool.md A5.2, A6.5, C3, C5, C8, C12.
 */
export async function brokenRules(
  store: PoolStore,
  { pool, groups }: PoolConfiguration,
  labels: readonly LabelOptions[] = [],
): Promise<string[]> {
  const { vms } = await store.list({ limit: 10_000 })
  const { requests } = await store.requests({ limit: 10_000 })
  const held = vms.filter(({ state }) => state === 'in_use')
  const active = vms.filter(({ state }) => ACTIVE_STATES.includes(state))
  const tokens = new Set(requests.map(({ leaseToken }) => leaseToken))
  return [
    ...vms
      .filter(({ state, leaseToken }) => (state === 'in_use') !== (leaseToken !== null))
      .map(({ name, state }) => `${name} is ${state} and its lease says otherwise`),
    ...held.filter(({ leaseToken }) => tokens.has(leaseToken!)).map(({ name }) => `${name} is held by one who waits`),
    ...over(held, ({ boundToUser }) => boundToUser!, pool.maxHeldPerUser, 'machines held by'),
    ...over(held, (vm) => `${vm.boundToUser}/${vm.sandbox}`, pool.maxHeldPerSandbox, 'machines held by'),
    ...over(
      held.filter(({ arch }) => arch !== null),
      ({ arch }) => arch!,
      (arch) => pool.maxHeldPerArch[arch] ?? 0,
      'machines held for',
    ),
    ...over(
      vms.filter(({ holdOwner }) => holdOwner !== null),
      ({ holdOwner }) => holdOwner!,
      pool.holdQuota,
      'machines on hold for',
    ),
    ...labels.flatMap(({ label, maxTotal }) => {
      const carriers = new Set(groups.filter((rules) => carries(rules, label)).map(({ id }) => id))
      return over(
        active.filter(({ group }) => carriers.has(group)),
        () => label,
        maxTotal,
        'machines of the label',
      )
    }),
    ...groups.flatMap((rules) => {
      const own = vms.filter(({ group }) => group === rules.id)
      const bound = own.filter(({ boundToUser, state }) => boundToUser !== null && state !== 'stuck')
      return [
        ...over(
          active.filter(({ group }) => group === rules.id),
          () => rules.id,
          rules.maxTotal,
          'machines in',
        ),
        ...over(own, () => rules.id, 2 * rules.maxTotal, 'machines in any state in'),
        ...over(bound, ({ boundToUser }) => boundToUser!, rules.maxPerUser, 'machines bound to'),
        ...over(bound, (vm) => `${vm.boundToUser}/${vm.sandbox}`, rules.maxPerSandbox, 'machines bound to'),
        ...over(
          own.filter(({ state }) => state === 'in_use'),
          () => rules.id,
          rules.maxInUse,
          'machines in use in',
        ),
      ]
    }),
  ]
}

function over(
  vms: readonly VmDescriptor[],
  keyOf: (vm: VmDescriptor) => string,
  limit: number | ((key: string) => number),
  what: string,
): string[] {
  return [...Map.groupBy(vms, keyOf)].flatMap(([key, each]) => {
    const most = typeof limit === 'number' ? limit : limit(key)
    return most > 0 && each.length > most ? [`${each.length} ${what} ${key}, more than ${most}`] : []
  })
}
