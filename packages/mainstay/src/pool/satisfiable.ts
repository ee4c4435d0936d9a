import { InvalidInputError } from '../core/errors.ts'
import { PoolGroupNotFoundError, PoolRequestImpossibleError } from './errors.ts'
import type { GroupRules, PoolConfiguration } from './options.ts'
import type { AcquireRequest } from './request.ts'

/** The highest priority class. */
export const MAX_PRIORITY = 1000

/** The most machines that one request may ask for. */
export const MAX_GANG = 1000

/**
 * The groups that carry all of the labels, in the order of preference.
 *
 * @throws PoolRequestImpossibleError when there is none
 */
export function groupsWithLabels(labels: readonly string[], groups: readonly GroupRules[]): string[] {
  const found = groups.filter((group) => labels.every((label) => group.labels.includes(label)))
  if (found.length === 0) {
    throw new PoolRequestImpossibleError(`no group of the pool carries the labels ${labels.join(', ')}`)
  }
  return found.map(({ id }) => id)
}

/**
 * Refuses a request that is wrong in itself, or that could not be served even by an empty pool.
 *
 * @throws InvalidInputError, PoolGroupNotFoundError, PoolRequestImpossibleError
 *
 * Source: vm-pool.md C4.
 */
export function checkSatisfiable(request: AcquireRequest, { pool, groups }: PoolConfiguration): void {
  const { count = 1, priority = 0, weight = 1 } = request
  if (request.groups.length === 0) throw new PoolRequestImpossibleError('it names no group')
  if (!Number.isInteger(count) || count < 1 || count > MAX_GANG) {
    throw new InvalidInputError(`A request is for 1 to ${MAX_GANG} machines, not for ${count}.`)
  }
  if (!Number.isInteger(priority) || priority < 0 || priority > MAX_PRIORITY) {
    throw new InvalidInputError(`A priority is a whole number from 0 to ${MAX_PRIORITY}, not ${priority}.`)
  }
  if (!(weight > 0 && Number.isFinite(weight))) {
    throw new InvalidInputError(`The weight of an owner is greater than 0, not ${weight}.`)
  }
  const named = request.groups.map((id) => {
    const rules = groups.find((group) => group.id === id)
    if (rules === undefined) throw new PoolGroupNotFoundError(id)
    return rules
  })
  const refuseAbove = (limit: number, what: string): void => {
    if (count > limit) throw new PoolRequestImpossibleError(`it asks for ${count} machines, and ${what} is ${limit}`)
  }
  refuseAbove(sumOf(named, most), 'the most that its groups may ever hand to one sandbox of one owner together')
  refuseAbove(pool.maxHeldPerUser || Number.POSITIVE_INFINITY, 'the limit of an owner')
  refuseAbove(pool.maxHeldPerSandbox || Number.POSITIVE_INFINITY, 'the limit of a sandbox')
  const { arch = null } = request
  const archLimit = arch === null ? 0 : pool.maxHeldPerArch[arch]
  refuseAbove(archLimit || Number.POSITIVE_INFINITY, `the limit of the architecture ${arch}`)
}

/** The most machines of a group that one request can ever have. */
function most({ maxTotal, maxPerUser, maxPerSandbox, maxInUse }: GroupRules): number {
  return Math.min(...[maxTotal, maxPerUser, maxPerSandbox, maxInUse].map((limit) => limit || Number.POSITIVE_INFINITY))
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0)
}
