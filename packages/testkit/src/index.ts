/**
 * `@mainstay/testkit`: real servers in functional tests. See the package's README.
 *
 * @packageDocumentation
 */
export { Cluster } from './cluster.ts'
export type { CleanLogs, ClusterOptions } from './cluster-options.ts'
export { DisposeError } from './cluster-dispose.ts'
export type { DisposeOptions, DisposeReport } from './cluster-dispose.ts'
export { componentAvailable, componentNames, componentSpec, skipReason } from './components/component.ts'
export type { ComponentName, ComponentOptions } from './components/component.ts'
export { resetDatabase } from './database/cluster-databases.ts'
export type { DatabaseEngineName, DatabaseSpec, MigrationContext } from './database/database-spec.ts'
export type { Diagnostics } from './diagnostics/collect.ts'
export { TestkitError } from './errors.ts'
export type { TestkitErrorCode } from './errors.ts'
export { DiskLimit } from './faults/disk-full.ts'
export { TcpProxy } from './faults/tcp-proxy.ts'
export type { ActiveToxic, ProxyCounters, ProxyTarget } from './faults/tcp-proxy.ts'
export type { Direction, Toxic, ToxicOptions } from './faults/toxics.ts'
export type { LogLine } from './logs/log-line.ts'
export { formatTimeline } from './logs/timeline.ts'
export { leasePort, unusedPort } from './ports/port-lease.ts'
export type { PortLease } from './ports/port-lease.ts'
export { findExecutable } from './process/executable.ts'
export { runProgram } from './process/run.ts'
export type { RunOptions, RunResult } from './process/run.ts'
export type { Readiness } from './readiness/readiness.ts'
export { missingExecutable, skipIfDisabled } from './requirements.ts'
export { ManagedServer } from './server.ts'
export type { FailedAttempt } from './start-attempts.ts'
export type { StartOptions, StartResult } from './start-options.ts'
export type { ServerState } from './server-state.ts'
export { defineServer } from './spec.ts'
export type {
  Availability,
  ConfigFile,
  DependencyAddress,
  ExitInfo,
  InlineServer,
  Launch,
  ListenSpec,
  LogSpec,
  ProcessLimits,
  Row,
  ServerContext,
  ServerSpec,
  StopPolicy,
} from './spec.ts'
