export { exitOf, startAgent, type AgentDeps, type AgentExit, type RunningAgent } from './agent.ts'
export {
  agentOptions,
  type AgentApiOptions,
  type AgentOptions,
  type AgentOverrides,
  type AgentSenderOptions,
  type InstanceOptions,
} from './agent-options.ts'
export { runAgent, type AgentRun } from './agent-process.ts'
export type { ApiAccess, KeystoneAccess } from './api-access.ts'
export { importMonitorsConf, type ImportedConf } from './conf/monitors-conf.ts'
export { nearestName } from './conf/nearest-name.ts'
export {
  AgentConfigError,
  ScratchDirectoryError,
  SpoolBusyError,
  SpoolFullError,
  SpoolUnreadableError,
} from './errors.ts'
export {
  MONITOR_NAMES,
  type MonitorContext,
  type MonitorHealth,
  type MonitorName,
  type RunningMonitor,
  type StartMonitor,
} from './monitor.ts'
export type { HostReport, NotificationType, ProcessReport, Receipt, Report, ReportSink, VmReport } from './report.ts'
export { noAuthentication, staticToken, type TokenSource } from './sender/token-source.ts'
