import { existsSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// A published package holds compiled files, because Node strips no types under node_modules.
const source = fileURLToPath(new URL('../src/core/index.ts', import.meta.url))
const useSource = existsSync(source) && !/[\\/]node_modules[\\/]/.test(realpathSync(source))

export const { allow, assertNoDanglingMocks, diff, isMock, matchers, recognizeMock, restore, snapshot, watch } =
  await (useSource ? import('../src/core/index.ts') : import('../dist/core/index.js'))
