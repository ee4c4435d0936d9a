import { TestkitError } from './errors.ts'
import { keptFile, ownerFile } from './reaper/sweep.ts'

/** The timeline's name in a kept folder. */
export const timelineFile = 'timeline.log'

/** Files of the cluster's folder beside the folders of its servers. */
const ownNames: ReadonlySet<string> = new Set([ownerFile, keptFile, timelineFile, 'test.sqlite'])

/** Refuses a server's name that cannot be a folder's below the cluster's. Throws TK_BAD_SPEC. */
export function checkServerName(name: string): void {
  if (/^\w[\w.-]*$/.test(name) && !ownNames.has(name)) return
  throw new TestkitError(
    'TK_BAD_SPEC',
    `"${name}" cannot be a server's name: use letters, digits, dot, dash; it must begin with a letter or digit and not be ` +
      `one of ${[...ownNames].join(', ')}`,
  )
}
