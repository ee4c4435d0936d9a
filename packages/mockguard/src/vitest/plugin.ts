import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resolveSettings } from '../guard/options.ts'
import type { MockguardOptions } from '../guard/options.ts'
import { bundledGuard } from './bundle.ts'
import { encodeOptions } from './options-codec.ts'
import type { EncodedOptions } from './options-codec.ts'
import { MockguardReporter } from './reporter.ts'

declare module 'vitest' {
  interface ProvidedContext {
    mockguard: EncodedOptions
  }
}

interface TestConfig {
  setupFiles?: string | string[]
  provide?: Record<string, unknown>
}

/** What mockguard asks of Vite's plugin interface, of any version. */
export interface MockguardPlugin {
  readonly name: string
  config: (config: { test?: TestConfig; root?: string }) => Promise<void>
  configureVitest: (context: { vitest: { config: { reporters: unknown[] } } }) => void
}

let spool: string | null = null
let bundle: Promise<string | null> | null = null
const registered = new WeakSet<object>()

/**
 * The Vitest plugin: adds the set-up file before all others, and a reporter that ends the run with a summary.
 *
 * @throws MockguardConfigError when an option cannot be meant, for example an allow entry without a reason.
 */
export function mockguard(options: MockguardOptions = {}): MockguardPlugin {
  const settings = resolveSettings(options, process.cwd())
  const setup = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './setup.ts' : './setup.js', import.meta.url))
  return {
    name: 'mockguard',
    async config(config) {
      if (settings.mode === 'off') return
      spool ??= join(mkdtempSync(join(tmpdir(), 'mockguard-')), 'spool.jsonl')
      const test = (config.test ??= {})
      const own = typeof test.setupFiles === 'string' ? [test.setupFiles] : (test.setupFiles ?? [])
      test.setupFiles = [setup, ...own.filter((file) => file !== setup)]
      test.provide = {
        ...test.provide,
        mockguard: encodeOptions(options, { spool, guard: await (bundle ??= bundledGuard()) }),
      }
    },
    configureVitest({ vitest }) {
      if (settings.mode === 'off' || registered.has(vitest) || spool === null) return
      registered.add(vitest)
      vitest.config.reporters.push(new MockguardReporter(settings, spool))
    },
  }
}
