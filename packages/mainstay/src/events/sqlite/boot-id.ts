import { readFileSync } from 'node:fs'

/**
 * Names the present run of the machine's kernel. What a killed process has written is still there; what a machine
 * without power had not flushed is not, and this tells the two apart.
 *
 * @returns a text that is never the same twice where the kernel does not say
 */
export function bootId(random: () => string): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    // Not Linux. Then every start after an unclean end counts as one after a power cut, which is the safe side.
    return random()
  }
}
