import { createHash } from 'node:crypto'
import { existsSync, globSync, renameSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The guard as one JavaScript file, for workers to load: every test file has a worker of its own, and thirty modules
 * that have to be found, stripped of types and linked are most of what the guard would cost there. Built once for each
 * state of the sources and kept in the temporary folder. Null when it cannot be built; then workers load the modules.
 */
export async function bundledGuard(): Promise<string | null> {
  const source = fileURLToPath(new URL('..', import.meta.url))
  const files = globSync('**/*.{ts,js}', { cwd: source, exclude: (name) => name.includes('.test.') })
  const hash = createHash('sha256')
  for (const file of files.toSorted()) hash.update(`${file}:${statSync(join(source, file)).mtimeMs}\n`)
  const name = `guard-${hash.update(source).digest('hex').slice(0, 16)}.mjs`
  const folder = join(tmpdir(), 'mockguard-cache', String(process.getuid?.() ?? 0))
  if (existsSync(join(folder, name))) return join(folder, name)
  try {
    const { build } = await import('vite')
    const entry = fileURLToPath(
      new URL(import.meta.url.endsWith('.ts') ? './run-file.ts' : './run-file.js', import.meta.url),
    )
    const draft = `${name}.${process.pid}`
    await build({
      configFile: false,
      logLevel: 'silent',
      publicDir: false,
      ssr: { noExternal: true },
      build: {
        ssr: entry,
        outDir: folder,
        emptyOutDir: false,
        minify: false,
        target: 'esnext',
        rollupOptions: { output: { entryFileNames: draft, codeSplitting: false } },
      },
    })
    renameSync(join(folder, draft), join(folder, name))
    return join(folder, name)
  } catch {
    // No Vite to build with, or a folder that cannot be written: slower, and otherwise the same.
    return null
  }
}
