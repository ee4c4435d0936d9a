import { afterAll } from 'vitest'

import { computeConformance } from '../../packages/mainstay/src/compute/conformance.ts'
import { requireLibvirt } from './lab/requirements.ts'
import { TwoLibvirtHosts, libvirtSubject } from './two-libvirt-hosts.ts'

/** The same two hosts for all cases: each leaves them empty. */
let hosts: TwoLibvirtHosts | undefined

afterAll(async () => await hosts?.[Symbol.asyncDispose]())

computeConformance('libvirt', async () => await libvirtSubject((hosts ??= await TwoLibvirtHosts.start())), {
  actTimeoutMs: 20_000,
  caseTimeoutMs: 60_000,
  requires: requireLibvirt,
})
