import { runCommand } from '../../core/child-process.ts'
import { MainstayError } from '../../core/errors.ts'
import type { InventoryTasks } from './baremetal-events.ts'

/** The program that keeps the inventory did not do what it was told. */
export class InventoryCommandError extends MainstayError {
  readonly code = 'MS_INVENTORY_COMMAND'
  readonly status = 502
  readonly retryable = true
}

export interface CommandInventoryOptions {
  /** Program and arguments; `{task}`, `{node}` and `{value}` are replaced. Run without a shell. */
  readonly command: readonly [string, ...string[]]
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * An inventory that a program of the operator keeps. The tasks are `power`, `maintenance` and `provision`; the value is the
 * state, empty for a state that is not known any more, `true` or `false` for maintenance.
 */
export function commandInventory({ command, timeoutMs, signal }: CommandInventoryOptions): InventoryTasks {
  const run = async (task: string, node: string, value: string): Promise<void> => {
    const values: Readonly<Record<string, string>> = { task, node, value }
    const fill = (word: string): string =>
      word.replaceAll(/\{(task|node|value)\}/g, (_all, name: string) => values[name] ?? '')
    const [program, ...rest] = command
    const { exitCode, stderr } = await runCommand([program, ...rest.map(fill)], { timeoutMs, signal })
    if (exitCode === 0) return
    const said = stderr.trim().slice(0, 500)
    throw new InventoryCommandError(
      `The inventory was not told of ${task} "${value}" of ${node}: ${program} ended with ${exitCode ?? 'a signal'}` +
        `${said === '' ? '' : ` (${said})`}. Repair the program of events.openstack.inventory_command.`,
    )
  }
  return {
    setPowerState: async (node, state) => await run('power', node, state ?? ''),
    setMaintenance: async (node, { state }) => await run('maintenance', node, String(state)),
    setProvisionState: async (node, state) => await run('provision', node, state ?? ''),
  }
}

/** An inventory for those who have none. */
export const NO_INVENTORY: InventoryTasks = {
  setPowerState: async () => {},
  setMaintenance: async () => {},
  setProvisionState: async () => {},
}
