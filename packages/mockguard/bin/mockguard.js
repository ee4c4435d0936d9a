#!/usr/bin/env node
import { existsSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// A published package holds compiled files, because Node strips no types under node_modules.
const source = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
const useSource = existsSync(source) && !/[\\/]node_modules[\\/]/.test(realpathSync(source))
const { main } = await import(useSource ? '../src/cli/main.ts' : '../dist/cli/main.js')
process.exitCode = await main(process.argv.slice(2))
