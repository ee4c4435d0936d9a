import {
  buildApplication,
  buildRouteMap,
  text_en,
  version,
  help,
  type Application,
  type Command,
  type RouteMap,
} from '@stricli/core'

import type { CliContext } from './context.ts'
import { describeError } from './describe-error.ts'
import { programVersion } from './version.ts'

type Target = Command<CliContext> | RouteMap<CliContext>

/** What stands after `mainstay`, in the order in which the help shows it. Each is loaded when it is needed. */
const COMMANDS: Readonly<Record<string, () => Promise<Target>>> = {
  serve: async () => (await import('./serve.ts')).serve,
  agent: async () => (await import('./agent.ts')).agent,
  demo: async () => (await import('./demo.ts')).demo,
  migrate: async () => (await import('./migrate.ts')).migrate,
  purge: async () => (await import('./purge.ts')).purge,
  check: async () => (await import('./check.ts')).check,
  segment: async () => (await import('./segment/routes.ts')).segmentRoutes,
  host: async () => (await import('./host/routes.ts')).hostRoutes,
  notification: async () => (await import('./notification/routes.ts')).notificationRoutes,
  vmove: async () => (await import('./vmove/routes.ts')).vmoveRoutes,
  recovery: async () => (await import('./recovery/routes.ts')).recoveryRoutes,
  fence: async () => (await import('./fence.ts')).fence,
  'compute-host': async () => (await import('./compute-host/routes.ts')).computeHostRoutes,
  events: async () => (await import('./events/routes.ts')).eventsRoutes,
  pool: async () => (await import('./pool/routes.ts')).poolRoutes,
  completion: async () => (await import('./completion.ts')).completion,
}

export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS)

/** Commands that only ask for the version need nothing loaded but the smallest command. */
const VERSION_FLAGS: ReadonlySet<string> = new Set(['--version', '-v'])
const SMALLEST = 'completion'

const NOT_STARTED = 'mainstay: '

/**
 * The program.
 *
 * @param argv the command line, of which only the first word is looked at: nothing else is loaded than what it needs
 */
export async function createApplication(
  argv: readonly string[],
  { debug }: { debug: boolean },
): Promise<Application<CliContext>> {
  const [first = ''] = argv
  const wanted = Object.hasOwn(COMMANDS, first) ? [first] : VERSION_FLAGS.has(first) ? [SMALLEST] : COMMAND_NAMES
  const routes: Record<string, Target> = {}
  for (const name of wanted) {
    const load = COMMANDS[name]
    if (load !== undefined) routes[name] = await load()
  }
  const root = buildRouteMap<string, CliContext>({
    routes,
    docs: { brief: 'Keeps fleets of virtual machines running: detects, proves, recovers, explains' },
  })
  const formatting = {
    useAliasInUsageLine: false,
    onlyRequiredInUsageLine: false,
    caseStyle: 'convert-camel-to-kebab',
  } as const
  return buildApplication<CliContext>(
    root,
    {
      name: 'mainstay',
      scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true },
      documentation: { disableAnsiColor: false, onlyRequiredInUsageLine: false },
      localization: { text: texts(debug) },
    },
    {
      help: help({ brief: 'Print help and exit', formatting, defaultForRouteMap: true, complete: true }),
      version: version({ brief: 'Print the version and exit', info: { getCurrentVersion: programVersion } }),
    },
  )
}

/** Every error is one line that begins with the program's name. */
function texts(debug: boolean): typeof text_en {
  const describe = (error: unknown): string => describeError(error, { debug })
  return {
    ...text_en,
    exceptionWhileRunningCommand: describe,
    commandErrorResult: describe,
    exceptionWhileLoadingCommandFunction: describe,
    exceptionWhileLoadingCommandContext: describe,
    exceptionWhileParsingArguments: (error, ansiColor) =>
      NOT_STARTED + text_en.exceptionWhileParsingArguments.call({ formatException: describe }, error, ansiColor),
    noCommandRegisteredForInput: (args) => NOT_STARTED + text_en.noCommandRegisteredForInput(args),
  }
}
