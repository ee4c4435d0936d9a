export {
  createHttpApp,
  defaultHttpLimits,
  type HttpApp,
  type HttpAppDeps,
  type HttpAppOptions,
  type HttpLimits,
} from './app.ts'
export { noauth2, type Arrival, type Authenticate } from './authenticate.ts'
export type { Authorize } from './authorize.ts'
export * from './errors.ts'
export {
  registerNative,
  registerNativeNotFound,
  requestContextOf,
  type NativeDeps,
  type NativeError,
} from './native.ts'
export { registerOperations, type OperationsDeps } from './operations.ts'
export { keystoneAuthentication, type KeystoneAuthOptions } from './keystone.ts'
export { Policy, PolicyNotRegisteredError, type PolicyDeps } from './policy/policy.ts'
export { PolicySyntaxError } from './policy/parse.ts'
export type { PolicyPaths } from './policy/policy-file.ts'
export { DEFAULT_ACCESS_LOG_FORMAT } from './access-log.ts'
export { inheritedSocket, listenOn, stopServing, type ListenAddress } from './listen.ts'
export type { TlsFiles } from './tls.ts'
export { nativePaths } from './route-list.ts'
