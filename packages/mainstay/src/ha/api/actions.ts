import { NotFoundError } from '../../http/errors.ts'
import type { Action, ActionDeps, Call } from './action.ts'
import { extensions, type Extension } from './extensions.ts'
import { hostActions } from './host-actions.ts'
import { notificationActions } from './notification-actions.ts'
import type { Resource, Verb } from './route.ts'
import { segmentActions } from './segment-actions.ts'
import { versionDocument } from './version-documents.ts'
import { vmoveActions } from './vmove-actions.ts'

/** Every operation of the API by resource and verb: the route table. */
export const ACTIONS: Readonly<Record<Resource, Partial<Record<Verb, Action>>>> = {
  versions: {
    show: {
      policy: 'os_masakari_api:versions:index',
      successStatus: 200,
      run: async (_deps, { base, id }) => {
        const version = id('versions')
        if (version !== '' && version !== 'v1.0') throw new NotFoundError(`There is no version ${version} of this API.`)
        return versionDocument(base())
      },
    },
  },
  extensions: {
    index: {
      policy: 'os_masakari_api:extensions:index',
      successStatus: 200,
      run: async (deps, call) => ({ extensions: await visibleExtensions(deps, call) }),
    },
    show: {
      policy: 'os_masakari_api:extensions:detail',
      successStatus: 200,
      run: async (deps, call) => {
        const alias = call.id('extensions')
        const extension = (await visibleExtensions(deps, call)).find((candidate) => candidate.alias === alias)
        if (extension === undefined) throw new NotFoundError(`There is no extension ${alias}.`)
        return { extension }
      },
    },
  },
  segments: segmentActions,
  hosts: hostActions,
  notifications: notificationActions,
  vmoves: vmoveActions,
}

async function visibleExtensions({ authorize }: ActionDeps, { context }: Call): Promise<Extension[]> {
  return await extensions(async (alias) => await authorize(`os_masakari_api:${alias}:discoverable`, context))
}
