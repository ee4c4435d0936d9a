import { existsSync } from 'node:fs'
import { TestkitError } from './errors.ts'
import { writeFileAtomically } from './home.ts'
import { pathInside } from './inside.ts'
import type { ManagedServer } from './server.ts'

/**
 * Writes the policy file of every server that has one, at once: a running server reads the old or the new rules, never
 * half of them. Source: testkit.md A3.2. Throws TK_DATA_FILE_MISSING when no server has the file.
 */
export function writePolicy(servers: readonly ManagedServer[], rules: object, file = 'policy.json'): void {
  const targets = servers.flatMap((server) => {
    const data = (server.spec.dataFiles ?? [])
      .map(({ to }) => to)
      .filter((to) => to === file || to.endsWith(`/${file}`))
    return [...data, `etc/${file}`]
      .map((path) => pathInside(server.dir, path, 'policy file'))
      .filter((path) => existsSync(path))
  })
  if (targets.length === 0) throw new TestkitError('TK_DATA_FILE_MISSING', `no server has a file ${file}`)
  for (const path of new Set(targets)) writeFileAtomically(path, `${JSON.stringify(rules, undefined, 2)}\n`, 0o644)
}
