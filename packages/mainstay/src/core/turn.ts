/**
 * Waits for the next turn of the event loop: everything that the current one can still do has been done. Batches
 * gather here, because whoever was woken by the last batch needs a few steps to ask for the next thing.
 */
export async function nextTurn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve))
}
