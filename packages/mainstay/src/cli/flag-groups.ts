import { configurationFlags } from './configuration-flags.ts'
import { connectionFlags, debugFlag } from './connection.ts'
import { followFlags } from './follow.ts'
import { listOutputFlags, outputFlags } from './output/flags.ts'

/** Flags that several commands share, each group described once. The first group that has a flag is its group. */
export const FLAG_GROUPS = [
  { title: 'Printing', flags: outputFlags },
  { title: 'Printing lists', flags: { sortColumn: listOutputFlags.sortColumn } },
  { title: 'Following', flags: { watch: followFlags.watch } },
  { title: 'Waiting', flags: without(followFlags, 'watch') },
  { title: 'Configuration', flags: configurationFlags },
  { title: 'Server', flags: without(connectionFlags, 'debug') },
  { title: 'Errors', flags: debugFlag },
] as const

function without<T extends object, Name extends keyof T>(flags: T, name: Name): Omit<T, Name> {
  const { [name]: _left, ...rest } = flags
  return rest
}
