import { existsSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// A published package holds compiled files, because Node strips no types under node_modules.
const source = fileURLToPath(new URL('../src/using/index.ts', import.meta.url))
const useSource = existsSync(source) && !/[\\/]node_modules[\\/]/.test(realpathSync(source))

export const { clock, env, listener, mockAll, patch, patchConfig, stub } = await (useSource
  ? import('../src/using/index.ts')
  : import('../dist/using/index.js'))
