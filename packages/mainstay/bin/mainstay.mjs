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

/** Says to the pinned Node which process the sockets of a service manager were meant for and handed on by. */
const HANDED_ON_BY = 'MAINSTAY_LISTEN_PARENT'
/** The first socket that a service manager hands over (`sd_listen_fds(3)`). */
const FIRST_SOCKET = 3

const [major, minor] = process.versions.node.split('.').map(Number)
const newEnough = major > NEEDED_MAJOR || (major === NEEDED_MAJOR && minor >= NEEDED_MINOR)

if (newEnough) {
  takeSocketsOver()
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
  const sockets = inheritedSockets()
  const child = spawn(node, process.argv.slice(1), {
    stdio: ['inherit', 'inherit', 'inherit', ...sockets, 'ipc'],
    env: sockets.length === 0 ? process.env : { ...process.env, [HANDED_ON_BY]: String(process.pid) },
  })
  // A signal to the process group, as by Ctrl-C, reaches the child without us. What we hand on by name it can tell from that.
  let hears = []
  child.on('message', (message) => (hears = message.hears ?? hears))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => handOn(child, signal, hears))
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

/** Tells the child of a signal that this process got, by name if it understands that. */
function handOn(child, signal, hears) {
  if (!hears.includes(signal)) child.kill(signal)
  // One that is about to end has closed its ear; the callback keeps that from being an error.
  else if (child.connected) child.send({ signal }, () => undefined)
}

/** The descriptors that a service manager has opened for this very process. */
function inheritedSockets() {
  const { LISTEN_FDS: count = '', LISTEN_PID: pid } = process.env
  if (pid !== String(process.pid) || !/^\d{1,4}$/.test(count)) return []
  return Array.from({ length: Number(count) }, (_, index) => FIRST_SOCKET + index)
}

/**
 * LISTEN_PID names the process that handed its sockets on to us, which could not know our number. Only its own child
 * believes it: the variable may have been inherited further.
 */
function takeSocketsOver() {
  if (process.env[HANDED_ON_BY] === String(process.ppid)) process.env.LISTEN_PID = String(process.pid)
  delete process.env[HANDED_ON_BY]
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
