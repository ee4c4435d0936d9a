export { ADDRESS_NAMESPACE, MACHINE_NAMESPACE } from './machine-element.ts'
export * from './options.ts'
export { LibvirtProvider } from './provider.ts'
export { expandAddresses } from './static-addresses.ts'
