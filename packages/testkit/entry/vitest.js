import { existsSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// A published package holds compiled files, because Node strips no types under node_modules.
const source = fileURLToPath(new URL('../src/vitest.ts', import.meta.url))
const useSource = existsSync(source) && !/[\\/]node_modules[\\/]/.test(realpathSync(source))

export const { Cluster, clusterTest, test } = await (useSource
  ? import('../src/vitest.ts')
  : import('../dist/vitest.js'))
