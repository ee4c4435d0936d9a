import { existsSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// A published package holds compiled files, because Node strips no types under node_modules.
const source = fileURLToPath(new URL('../src/vitest/setup.ts', import.meta.url))
const useSource = existsSync(source) && !/[\\/]node_modules[\\/]/.test(realpathSync(source))

await (useSource ? import('../src/vitest/setup.ts') : import('../dist/vitest/setup.js'))
