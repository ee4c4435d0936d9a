import { ManualClock } from '../../../core/clock.ts'
import { providerConformance, type ProviderSubject } from '../conformance.ts'
import { driven } from './testing/driven.ts'
import { SimulatedCloud, SimulatedProvider } from './index.ts'

async function subject(): Promise<ProviderSubject> {
  const clock = new ManualClock()
  const cloud = new SimulatedCloud({ clock, resources: ['volume', 'address'] })
  const open = (installation: string) => new SimulatedProvider({ name: 'sim', installation, cloud })
  return {
    provider: open('ours'),
    neighbour: open('theirs'),
    profile: {},
    run: async (work) => await driven(clock, work),
    reopen: async () => open('ours'),
    add: async (name, tags) => void cloud.add({ name, tags }),
    count: async (name) => cloud.byName(name).length,
    vanish: async (name) => cloud.byName(name).forEach((machine) => cloud.remove(machine)),
    breakDown: async (name) => cloud.byName(name).forEach((machine) => cloud.become(machine, 'error', 'error', 0)),
    failNextCreate: async (kind) => {
      cloud.faults.order('create', kind)
      return {}
    },
    failQuestions: async () => {
      for (const call of ['list', 'describe', 'quota', 'list_resources'] as const) {
        cloud.faults.order(call, 'transient', { times: 1000 })
      }
    },
    addResource: async (resource) => cloud.addResource(resource),
    dispose: async () => undefined,
  }
}

providerConformance('simulated', subject)
