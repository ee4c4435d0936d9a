import { spawn, spawnSync } from 'node:child_process'
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'

import type { SystemPackage } from './system-packages.ts'

const UPDATE_TIMEOUT_MS = 300_000
const INSTALL_TIMEOUT_MS = 1_800_000

/** Asked by Debian's packages before they start a service; 101 forbids it. */
const POLICY = '/usr/sbin/policy-rc.d'
const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const FORBID = '#!/bin/sh\nexit 101\n'

/** Which of the packages are not installed. All of them where there is no dpkg. */
export function missingPackages(packages: readonly SystemPackage[]): SystemPackage[] {
  const { stdout } = spawnSync(
    'dpkg-query',
    ['-W', '-f', '${Package} ${db:Status-Status}\n', ...packages.map(({ name }) => name)],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const installed = new Set(
    // Undefined where the program does not exist.
    ((stdout as string | undefined) ?? '')
      .split('\n')
      .flatMap((line) => (line.endsWith(' installed') ? [line.split(' ')[0]] : [])),
  )
  return packages.filter(({ name }) => !installed.has(name))
}

/** Why nothing can be installed here, or undefined when it can. */
export function whyNotInstall(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may install packages'
  if (!existsSync('/usr/bin/apt-get')) return 'there is no apt-get on this machine'
  return undefined
}

/**
 * Installs packages without starting anything and without asking anything.
 *
 * @returns whether all of it worked
 */
export async function installPackages(packages: readonly SystemPackage[]): Promise<boolean> {
  const restore = forbidServices()
  try {
    if (!(await runApt(['update'], UPDATE_TIMEOUT_MS))) return false
    const names = packages.map(({ name }) => name)
    return await runApt(['install', '--yes', '--no-install-recommends', ...names], INSTALL_TIMEOUT_MS)
  } finally {
    restore()
  }
}

/**
 * Puts a policy in place that starts nothing.
 *
 * @returns what puts the machine's own back; that is done as well when this process ends or is told to
 */
export function forbidServices(policy = POLICY): () => void {
  const kept = `${policy}.before-test-all`
  // One that is kept already is the machine's own: the last run was killed before it could put it back.
  if (existsSync(policy) && !existsSync(kept)) renameSync(policy, kept)
  writeFileSync(policy, FORBID, { mode: 0o755 })
  const restore = (): void => {
    process.off('exit', restore)
    for (const signal of ENDING_SIGNALS) process.off(signal, end)
    rmSync(policy, { force: true })
    if (existsSync(kept)) renameSync(kept, policy)
  }
  const end = (): void => {
    restore()
    process.exit(1)
  }
  process.on('exit', restore)
  for (const signal of ENDING_SIGNALS) process.on(signal, end)
  return restore
}

async function runApt(args: readonly string[], timeoutMs: number): Promise<boolean> {
  const child = spawn('apt-get', ['-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Use-Pty=0', '-q', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    timeout: timeoutMs,
  })
  return await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => resolve(code === 0))
  })
}
