import type { Logger } from '../../core/logging.ts'
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts'

/** Keeps an inventory of machines up to date. Names are those of nodes; null says that the state is not known any more. */
export interface InventoryTasks {
  setPowerState(node: string, state: string | null): Promise<void>
  setMaintenance(node: string, change: { readonly state: boolean }): Promise<void>
  setProvisionState(node: string, state: string | null): Promise<void>
}

/** Does what one type of event asks for. */
export type BaremetalHandler = (payload: JsonObject) => Promise<void>

/** What a handler is chosen by: `baremetal.<object>.<action>.<status>`. */
const SEGMENTS = 4

/**
 * Changes of the machines that Ironic tells of, carried into an inventory.
 *
 * Source: event-stream.md 8.4.
 */
export class BaremetalEvents {
  readonly #logger: Logger
  readonly #handlers: ReadonlyMap<string, BaremetalHandler>

  constructor({ tasks, logger }: { tasks: InventoryTasks; logger: Logger }) {
    this.#logger = logger
    const power: BaremetalHandler = async (payload) => {
      const node = objectData(payload)
      await tasks.setPowerState(nameOf(node), stateOf(node['power_state']))
    }
    const provision: BaremetalHandler = async (payload) => {
      const node = objectData(payload)
      await tasks.setProvisionState(nameOf(node), stateOf(node['provision_state']))
    }
    const maintenance: BaremetalHandler = async (payload) => {
      const node = objectData(payload)
      await tasks.setMaintenance(nameOf(node), { state: node['maintenance'] === true })
    }
    const created: BaremetalHandler = async (payload) => {
      await provision(payload)
      await power(payload)
    }
    const deleted: BaremetalHandler = async (payload) => {
      const name = nameOf(objectData(payload))
      await tasks.setProvisionState(name, null)
      await tasks.setPowerState(name, null)
    }
    this.#handlers = new Map([
      ['baremetal.node.power_set.end', power],
      ['baremetal.node.power_state_corrected.success', power],
      ['baremetal.node.maintenance_set.end', maintenance],
      ['baremetal.node.provision_set.start', provision],
      ['baremetal.node.provision_set.end', provision],
      ['baremetal.node.provision_set.success', provision],
      ['baremetal.node.delete.end', deleted],
      ['baremetal.node.create.end', created],
    ])
  }

  /** The handler of a type, by its first four segments; undefined for those that ask for nothing. */
  handlerFor(eventType: string): BaremetalHandler | undefined {
    return this.#handlers.get(eventType.split('.', SEGMENTS).join('.'))
  }

  /**
   * Does what an event asks for; one that asks for nothing is mentioned in the log.
   *
   * @throws TypeError when the payload lacks what its type must have; what the inventory throws
   */
  async handle(eventType: string, payload: JsonObject): Promise<void> {
    const handler = this.handlerFor(eventType)
    if (handler === undefined) this.#logger.info(`${eventType} ## ${nodeNameOf(payload)}`)
    else await handler(payload)
  }
}

/** The node that a notification of Ironic is about. @throws TypeError when it is missing */
export function objectData(payload: JsonObject): JsonObject {
  const data = payload['ironic_object.data']
  if (!isJsonObject(data)) throw new TypeError('ironic_object.data is missing, or is not an object')
  return data
}

/** Its name for the log, `unknown` where there is none. */
export function nodeNameOf(payload: JsonObject): string {
  const data = payload['ironic_object.data']
  const name = isJsonObject(data) ? data['name'] : undefined
  return typeof name === 'string' && name !== '' ? name : 'unknown'
}

function nameOf(node: JsonObject): string {
  const { name } = node
  if (typeof name !== 'string') throw new TypeError('the node has no name')
  return name
}

function stateOf(state: Json | undefined): string | null {
  return typeof state === 'string' ? state : null
}
