#!/usr/bin/env node
// Runs the program on the Node it was built for. The machine's own Node may be older: this file must parse on any
// Node with ES modules, so it checks first and hands over to the pinned one, or says in one line what is missing.
import { spawn } from 'node:child_process'
import module, { createRequire } from 'node:module'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'

const NEEDED_MAJOR = 24
const NEEDED_MINOR = 15

const [major, minor] = process.versions.node.split('.').map(Number)
const newEnough = major > NEEDED_MAJOR || (major === NEEDED_MAJOR && minor >= NEEDED_MINOR)

if (newEnough) {
  // Compiled once and kept: the second start takes half the time.
  module.enableCompileCache()
  const built = new URL('../dist/cli/main.js', import.meta.url)
  const source = new URL('../src/cli/main.ts', import.meta.url)
  await import(existsSync(source) ? source.href : built.href)
} else {
  const node = pinnedNode()
  if (node === undefined) {
    process.stderr.write(
      `mainstay needs Node ${NEEDED_MAJOR}.${NEEDED_MINOR} or newer; this is ${process.version}. ` +
        `Run "npm ci" again so that the pinned Node is installed, or put a newer node on PATH.\n`,
    )
    process.exit(1)
  }
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`mainstay could not start ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}

/** The Node that npm installed beside us, if its package for this machine is there. */
function pinnedNode() {
  try {
    const require = createRequire(import.meta.url)
    const manifest = require.resolve(`node-${process.platform}-${process.arch}/package.json`)
    const node = join(dirname(manifest), 'bin', 'node')
    return existsSync(node) ? node : undefined
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return undefined
    throw error
  }
}
