import { readFileSync } from 'node:fs'
import { systemCode } from '../errors.ts'
import { runProgram } from '../process/run.ts'

/** What the kit's own mounts are called in the system's table: nothing else is ever unmounted. */
export const mountSource = 'mainstay-testkit'

/** Where the kit has something mounted, on this folder or below it, the deepest first. Empty where there is no `/proc`. */
export function ownMountsIn(folder: string): string[] {
  return mounts()
    .filter(({ source, path }) => source === mountSource && (path === folder || path.startsWith(`${folder}/`)))
    .map(({ path }) => path)
    .sort((a, b) => b.length - a.length)
}

/** Unmounts what the kit has mounted on a folder or below it; what is still in use is detached. */
export async function unmountOwn(folder: string): Promise<void> {
  for (const path of ownMountsIn(folder)) {
    const { exitCode } = await runProgram(['umount', path], { timeoutMs: 1000, expectExitCode: 'any' })
    if (exitCode !== 0) await runProgram(['umount', '--lazy', path], { timeoutMs: 1000 })
  }
}

function mounts(): { source: string; path: string }[] {
  return table()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([source = '', path = '']) => ({ source, path: unescape(path) }))
}

function table(): string {
  try {
    return readFileSync('/proc/self/mounts', 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return ''
    throw error
  }
}

/** Blanks and the like stand in the table as octal numbers. Source: fstab(5). */
function unescape(text: string): string {
  return text.replaceAll(/\\(\d{3})/g, (_match, octal: string) => String.fromCodePoint(Number.parseInt(octal, 8)))
}
