import { existsSync, realpathSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

// Compiled code that is kept between runs saves stripping the types of every module again at each start.
if (process.env.NODE_V8_COVERAGE === undefined) enableCompileCache?.()

// A published package holds compiled files, because Node strips no types under node_modules.
const source = fileURLToPath(new URL('../src/index.ts', import.meta.url))
const useSource = existsSync(source) && !/[\\/]node_modules[\\/]/.test(realpathSync(source))

export const { mockguard, allow, MockguardConfigError } = await (useSource
  ? import('../src/index.ts')
  : import('../dist/index.js'))
