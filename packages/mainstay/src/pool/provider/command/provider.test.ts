import { providerConformance } from '../conformance.ts'
import { FileCloud } from './testing/file-cloud.ts'

providerConformance('command', async () => {
  const cloud = await FileCloud.create()
  return {
    provider: cloud.provider('ours'),
    neighbour: cloud.provider('theirs'),
    profile: {},
    run: async (work) => await work,
    reopen: async () => cloud.provider('ours'),
    add: async (name, tags) => await cloud.add(name, { tags }),
    count: async (name) => (cloud.has(name) ? 1 : 0),
    vanish: async (name) => await cloud.vanish(name),
    breakDown: async (name) => await cloud.setState(name, 'error'),
    failNextCreate: async (kind) => {
      await cloud.orderNextCreate(kind)
      return {}
    },
    failQuestions: async () => await cloud.setDown(true),
    addResource: async (resource) => await cloud.addResource(resource),
    dispose: async () => await cloud[Symbol.asyncDispose](),
  }
})
