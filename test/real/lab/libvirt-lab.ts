import { afterAll, beforeAll, beforeEach, onTestFinished } from 'vitest'
import { connectLibvirt } from '@mainstay/libvirt-rpc'
import type { ConnectOptions, Domain, LibvirtConnection } from '@mainstay/libvirt-rpc'
import { PrivateLibvirtd } from './private-libvirtd.ts'
import type { PrivateLibvirtdOptions } from './private-libvirtd.ts'
import { missingForLibvirt, requireLibvirt } from './requirements.ts'
import { tinyDomainXml } from './tiny-domain.ts'
import type { TinyDomainOptions } from './tiny-domain.ts'

/** One host for all tests of a file, and what they need on it. */
export interface LibvirtLab {
  readonly host: PrivateLibvirtd
  /** A connection that is closed after the test. */
  connect(options?: Partial<ConnectOptions>): Promise<LibvirtConnection>
  /** Defines a guest that is gone after the test, running or not. */
  defineGuest(options?: TinyDomainOptions): Promise<Domain>
}

/** Call once at the top of a file. Where no private libvirtd can run, its tests are skipped, with the reason. */
export function useLibvirtLab(options?: PrivateLibvirtdOptions): LibvirtLab {
  let started: PrivateLibvirtd | undefined

  beforeAll(async () => {
    if (missingForLibvirt() === undefined) started = await PrivateLibvirtd.start(options)
  })
  beforeEach((context) => requireLibvirt(context))
  afterAll(async () => {
    await started?.[Symbol.asyncDispose]()
  })

  const lab: LibvirtLab = {
    get host() {
      if (started === undefined) throw new Error('The host of this file has not been started.')
      return started
    },
    async connect(connectOptions) {
      const connection = await connectLibvirt({ socketPath: lab.host.socketPath, ...connectOptions })
      onTestFinished(() => connection.close())
      return connection
    },
    async defineGuest(guestOptions) {
      const connection = await connectLibvirt({ socketPath: lab.host.socketPath })
      try {
        const guest = await connection.defineXml(tinyDomainXml(guestOptions))
        onTestFinished(() => removeGuest(lab.host, guest.name))
        return guest
      } finally {
        await connection.close()
      }
    },
  }
  return lab
}

/** By virsh, which does not mind what the guest is doing or whether it exists at all. */
async function removeGuest(host: PrivateLibvirtd, name: string): Promise<void> {
  await host.virsh('destroy', name)
  await host.virsh('undefine', name, '--managed-save')
}
