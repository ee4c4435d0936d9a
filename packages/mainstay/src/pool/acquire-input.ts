import { InvalidInputError } from '../core/errors.ts'
import { PoolGroupNotFoundError, PoolRequestImpossibleError } from './errors.ts'
import type { GroupRules, PoolConfiguration } from './options.ts'
import { groupsWithLabels } from './satisfiable.ts'

/** What a client asks for. Times are in milliseconds. */
export interface AcquireInput {
  /** Chosen by the client so that it may ask again after a lost answer; made up unless given. */
  readonly requestId?: string | undefined
  /** Groups that will do, in the order of preference. */
  readonly groups?: readonly string[] | undefined
  /** All of them must be carried by a group; with `groups`, only those of these groups that do. */
  readonly labels?: readonly string[] | undefined
  readonly owner: string
  readonly sandbox?: string | undefined
  readonly worker: string
  readonly taskId?: string | undefined
  readonly buildId?: string | undefined
  readonly chroot?: string | undefined
  /** Without groups and labels: any group for this architecture. */
  readonly arch?: string | undefined
  readonly priority?: number | undefined
  readonly weight?: number | undefined
  readonly count?: number | undefined
  readonly preemptible?: boolean | undefined
  readonly reattach?: boolean | undefined
  readonly leaseMs?: number | undefined
  /** How long to wait in the queue; not at all unless given. */
  readonly waitMs?: number | undefined
}

/** Whose sandbox a request is for that names none. */
export const DEFAULT_SANDBOX = 'default'

/**
 * The groups that a request may be served from.
 *
 * Source: vm-pool.md A5.7 (group ids come from the architecture; none means any group), C4.
 *
 * @throws PoolGroupNotFoundError, PoolRequestImpossibleError, InvalidInputError
 */
export function groupsFor(
  { groups, labels = [], arch }: Pick<AcquireInput, 'groups' | 'labels' | 'arch'>,
  { groups: all }: Pick<PoolConfiguration, 'groups'>,
): string[] {
  const named = groups === undefined ? all.filter(isKept) : groups.map((id) => find(all, id))
  if (groups?.length === 0) throw new InvalidInputError('A request names at least one group, or leaves "groups" out.')
  const labelled = labels.length === 0 ? named.map(({ id }) => id) : groupsWithLabels(labels, named)
  if (arch === undefined || groups !== undefined) return labelled
  const fitting = labelled.filter((id) => find(all, id).archs.includes(arch))
  if (fitting.length === 0) throw new PoolRequestImpossibleError(`no group of the pool is for the architecture ${arch}`)
  return fitting
}

/**
 * A group that is gone from the configuration is not offered to those who name none. One that an operator drains is: it comes back,
 * and who may wait waits for it.
 */
function isKept({ retired }: GroupRules): boolean {
  return !retired
}

/** @throws PoolGroupNotFoundError */
function find(groups: readonly GroupRules[], id: string): GroupRules {
  const found = groups.find((group) => group.id === id)
  if (found === undefined) throw new PoolGroupNotFoundError(id)
  return found
}
