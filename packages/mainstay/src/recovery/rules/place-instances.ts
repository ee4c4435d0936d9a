import type { ComputeHost, HostName } from '../../compute/index.ts'

export interface Placement {
  /** Guest to host. */
  readonly targets: Readonly<Record<string, HostName>>
  /** Guests for which no host has room. */
  readonly homeless: readonly string[]
}

/**
 * Which host each guest is restarted on, where the platform does not choose itself: the one with the most free memory
 * left, so that guests spread; the name decides between equals, so that the same snapshot gives the same plan.
 *
 * Guests are placed in the order given: the first has the best choice.
 *
 * @param avoid hosts that get no guests: the dead one, those on maintenance, the reserved ones
 */
export function placeInstances(
  instances: readonly { readonly uuid: string; readonly memoryMib: number }[],
  hosts: readonly ComputeHost[],
  avoid: ReadonlySet<HostName>,
): Placement {
  const free = new Map(
    hosts
      .filter((host) => host.state === 'up' && host.enabled && !avoid.has(host.name))
      .map((host) => [host.name, host.freeMemoryMib]),
  )
  const targets: Record<string, HostName> = {}
  const homeless: string[] = []
  for (const { uuid, memoryMib } of instances) {
    const [name, room] = [...free].reduce<[HostName | undefined, number]>(
      (best, [host, memory]) => (memory > best[1] || (memory === best[1] && host < best[0]!) ? [host, memory] : best),
      [undefined, -1],
    )
    if (name === undefined || room < memoryMib) {
      homeless.push(uuid)
    } else {
      free.set(name, room - memoryMib)
      targets[uuid] = name
    }
  }
  return { targets, homeless }
}
