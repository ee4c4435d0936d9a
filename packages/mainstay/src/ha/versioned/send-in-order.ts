/**
 * Hands things over in their order, without waiting for each to arrive before the next is handed over.
 *
 * The first goes alone: while the receiver is away, no more than one waits there. After a failure nothing more is handed
 * over, and what is on its way is waited for, so that nothing of it arrives among what is sent again.
 *
 * @param send begins to send at once, before it returns; resolves when the receiver has it
 * @param inFlight how many may be on their way
 * @returns how many arrived from the first on, without a gap, and why not all did
 */
export async function sendInOrder<T>(
  things: readonly T[],
  send: (thing: T) => Promise<void>,
  inFlight: number,
): Promise<{ arrived: number; failures: readonly unknown[] }> {
  const missing = new Set(things.keys())
  const failures: unknown[] = []
  const onTheirWay: Promise<void>[] = []
  for (const [index, thing] of things.entries()) {
    if (index === 1 || onTheirWay.length === inFlight) await onTheirWay.shift()
    if (failures.length > 0) break
    const sending = send(thing).then(
      () => void missing.delete(index),
      (error: unknown) => void failures.push(error),
    )
    onTheirWay.push(sending)
  }
  await Promise.all(onTheirWay)
  const [first = things.length] = missing
  return { arrived: first, failures }
}
