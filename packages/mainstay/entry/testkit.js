import { existsSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// A published package holds compiled files, because Node strips no types under node_modules.
const source = fileURLToPath(new URL('../src/server/testkit-specs.ts', import.meta.url))
const useSource = existsSync(source) && !/[\\/]node_modules[\\/]/.test(realpathSync(source))

export const { agentSpec, serveSpec } = await (useSource
  ? import('../src/server/testkit-specs.ts')
  : import('../dist/server/testkit-specs.js'))
