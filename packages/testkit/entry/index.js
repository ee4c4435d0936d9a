import { existsSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// A published package holds compiled files, because Node strips no types under node_modules.
const source = fileURLToPath(new URL('../src/index.ts', import.meta.url))
const useSource = existsSync(source) && !/[\\/]node_modules[\\/]/.test(realpathSync(source))

export const {
  Cluster,
  DiskLimit,
  DisposeError,
  ManagedServer,
  TcpProxy,
  TestkitError,
  componentAvailable,
  componentNames,
  componentSpec,
  defineServer,
  findExecutable,
  formatTimeline,
  leasePort,
  missingExecutable,
  resetDatabase,
  runProgram,
  skipIfDisabled,
  skipReason,
  unusedPort,
} = await (useSource ? import('../src/index.ts') : import('../dist/index.js'))
