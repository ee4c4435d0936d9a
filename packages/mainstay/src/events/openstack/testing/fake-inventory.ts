import { LogLines } from '../../compat/testing/log-lines.ts'
import { BaremetalEvents, type InventoryTasks } from '../baremetal-events.ts'

/** A node of ironic, as its notifications tell of it. */
export const NODE = {
  name: 'node-1',
  uuid: 'u-1',
  power_state: 'power on',
  provision_state: 'active',
  maintenance: true,
}
export const PAYLOAD = { 'ironic_object.data': NODE }
export const POWER = 'baremetal.node.power_set.end'

/** Writes down what it is asked. */
export class FakeInventory implements InventoryTasks {
  readonly calls: unknown[][] = []
  failure: Error | undefined

  async setPowerState(...call: unknown[]): Promise<void> {
    this.#note('power', call)
  }

  async setMaintenance(...call: unknown[]): Promise<void> {
    this.#note('maintenance', call)
  }

  async setProvisionState(...call: unknown[]): Promise<void> {
    this.#note('provision', call)
  }

  #note(name: string, call: unknown[]): void {
    this.calls.push([name, ...call])
    if (this.failure !== undefined) throw this.failure
  }
}

/** Handlers with an inventory that can be looked into. */
export function fakeBaremetal(): { events: BaremetalEvents; tasks: FakeInventory; log: LogLines } {
  const [tasks, log] = [new FakeInventory(), new LogLines()]
  return { events: new BaremetalEvents({ tasks, logger: log.logger }), tasks, log }
}

/** What the inventory is told after {@link POWER}. */
export const POWERED = [['power', 'node-1', 'power on']]
