/** A procedure of the wire protocol; `name` is the function of libvirt's API that it carries. */
export interface Procedure {
  readonly program: number
  readonly number: number
  readonly name: string
}

export const Program = { REMOTE: 0x2000_8086, QEMU: 0x2000_8087, KEEPALIVE: 0x6b65_6570 } as const

/** All programs stand at version 1 since they exist. */
export const PROGRAM_VERSION = 1

export const KeepaliveProcedure = { PING: 1, PONG: 2 } as const

/** Feature number of `connectSupportsFeature` that also switches the server's keep-alive on. */
export const FEATURE_KEEPALIVE = 10

const remote = (number: number, name: string): Procedure => ({ program: Program.REMOTE, number, name })
const qemu = (number: number, name: string): Procedure => ({ program: Program.QEMU, number, name })

/**
 * The procedures this client calls. Numbers are append-only in libvirt, for its own old clients (monitors.md 7.6); the
 * ones not named there are from libvirt 9.0 and each is called in the tests against a real daemon.
 */
export const procedures = {
  connectOpen: remote(1, 'virConnectOpen'),
  connectClose: remote(2, 'virConnectClose'),
  getVersion: remote(4, 'virConnectGetVersion'),
  getNodeInfo: remote(6, 'virNodeGetInfo'),
  getCapabilities: remote(7, 'virConnectGetCapabilities'),
  createXml: remote(10, 'virDomainCreateXML'),
  getXml: remote(14, 'virDomainGetXMLDesc'),
  getAutostart: remote(15, 'virDomainGetAutostart'),
  getInfo: remote(16, 'virDomainGetInfo'),
  lookupByName: remote(23, 'virDomainLookupByName'),
  lookupByUuid: remote(24, 'virDomainLookupByUUID'),
  reboot: remote(27, 'virDomainReboot'),
  resume: remote(28, 'virDomainResume'),
  setAutostart: remote(29, 'virDomainSetAutostart'),
  suspend: remote(34, 'virDomainSuspend'),
  getHostname: remote(59, 'virConnectGetHostname'),
  supportsFeature: remote(60, 'virConnectSupportsFeature'),
  authList: remote(66, 'the list of authentication types'),
  authPolkit: remote(70, 'authentication by polkit'),
  storagePoolRefresh: remote(83, 'virStoragePoolRefresh'),
  storagePoolLookupByName: remote(84, 'virStoragePoolLookupByName'),
  storageVolCreateXml: remote(93, 'virStorageVolCreateXML'),
  storageVolDelete: remote(94, 'virStorageVolDelete'),
  storageVolLookupByName: remote(95, 'virStorageVolLookupByName'),
  storageVolGetPath: remote(100, 'virStorageVolGetPath'),
  getFreeMemory: remote(102, 'virNodeGetFreeMemory'),
  getUri: remote(110, 'virConnectGetURI'),
  isPersistent: remote(151, 'virDomainIsPersistent'),
  getLibVersion: remote(157, 'virConnectGetLibVersion'),
  create: remote(196, 'virDomainCreateWithFlags'),
  getState: remote(212, 'virDomainGetState'),
  getNodeCpuStats: remote(227, 'virNodeGetCPUStats'),
  undefine: remote(231, 'virDomainUndefineFlags'),
  destroy: remote(234, 'virDomainDestroyFlags'),
  reset: remote(245, 'virDomainReset'),
  shutdown: remote(258, 'virDomainShutdownFlags'),
  setMetadata: remote(264, 'virDomainSetMetadata'),
  getMetadata: remote(265, 'virDomainGetMetadata'),
  listAllDomains: remote(273, 'virConnectListAllDomains'),
  storagePoolListAllVolumes: remote(282, 'virStoragePoolListAllVolumes'),
  eventRegister: remote(316, 'virConnectDomainEventRegisterAny'),
  eventDeregister: remote(317, 'virConnectDomainEventDeregisterAny'),
  getAllDomainStats: remote(344, 'virConnectGetAllDomainStats'),
  defineXml: remote(350, 'virDomainDefineXMLFlags'),
  interfaceAddresses: remote(353, 'virDomainInterfaceAddresses'),
  monitorCommand: qemu(1, 'virDomainQemuMonitorCommand'),
  agentCommand: qemu(3, 'virDomainQemuAgentCommand'),
} as const
