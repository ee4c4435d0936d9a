import type { Command, RouteMap } from '@stricli/core'

import { createApplication } from './application.ts'
import type { CliContext } from './context.ts'
import { EXIT } from './exit-code.ts'
import { FLAG_GROUPS } from './flag-groups.ts'

type Target = Command<CliContext> | RouteMap<CliContext>
type Flags = NonNullable<Command<CliContext>['parameters']['flags']>
type Flag = Flags[string]
type Group = { readonly title: string; readonly flags: Readonly<Record<string, Flag>> }

/** Routes that stand twice, because the `openstack` client has the same commands in another place. */
const ALIASES = [
  { route: 'mainstay segment host', of: 'mainstay host' },
  { route: 'mainstay notification vmove', of: 'mainstay vmove' },
] as const

const GROUPS: readonly Group[] = FLAG_GROUPS

/** The page `docs/reference/cli.md`, from the commands themselves. */
export async function cliReference(): Promise<string> {
  const { root } = await createApplication([], { debug: false })
  const groups = GROUPS.map(({ title, flags }) => `### ${title}\n\n${flagTable(flags)}`)
  return `${[HEAD, '## Flags that many commands take', ...groups, ...commandsOf('mainstay', root)].join('\n\n')}\n`
}

function commandsOf(route: string, target: Target): string[] {
  if (ALIASES.some((alias) => alias.route === route)) return []
  if ('getAllEntries' in target) {
    return target.getAllEntries().flatMap(({ name, target: next }) => commandsOf(`${route} ${name.original}`, next))
  }
  return [commandPage(route, target)]
}

function commandPage(route: string, { brief, fullDescription, parameters }: Command<CliContext>): string {
  const flags = parameters.flags ?? {}
  const own = Object.fromEntries(Object.entries(flags).filter(([name, flag]) => groupOf(name, flag) === undefined))
  const shared = new Set(Object.entries(flags).map(([name, flag]) => groupOf(name, flag)))
  const titles = GROUPS.map(({ title }) => title).filter((title) => shared.has(title))
  return [
    `## ${route}`,
    `${brief}.`,
    `\`\`\`text\n${[route, ...usage(parameters)].join(' ')}\n\`\`\``,
    ...(fullDescription === undefined ? [] : [described(fullDescription)]),
    ...argumentsTable(parameters),
    ...(Object.keys(own).length === 0 ? [] : [flagTable(own)]),
    ...(titles.length === 0 ? [] : [`Also the flags for ${titles.map((title) => title.toLowerCase()).join(', ')}.`]),
  ].join('\n\n')
}

/** A flag of the same name that means something else is no flag of the group. */
function groupOf(name: string, flag: Flag): string | undefined {
  return GROUPS.find(({ flags }) => flags[name] === flag)?.title
}

/** A description of several lines is an example for a shell. */
function described(text: string): string {
  return text.includes('\n') ? `\`\`\`text\n${text}\n\`\`\`` : text
}

function usage({ flags = {}, positional }: Command<CliContext>['parameters']): string[] {
  const needed = Object.entries(flags).filter(([, flag]) => isNeeded(flag))
  const words = needed.map(([name, flag]) => `${longName(name)} ${valueOf(flag)}`)
  if (needed.length < Object.keys(flags).length) words.push('[flags]')
  if (positional?.kind === 'array') words.push(`${positional.parameter.placeholder ?? 'VALUE'}...`)
  for (const { placeholder = 'VALUE', optional } of positional?.kind === 'tuple' ? positional.parameters : []) {
    words.push(optional === true ? `[${placeholder}]` : placeholder)
  }
  return words
}

function argumentsTable({ positional }: Command<CliContext>['parameters']): string[] {
  if (positional === undefined) return []
  const parameters = positional.kind === 'array' ? [positional.parameter] : positional.parameters
  const rows = parameters.map(({ placeholder = 'VALUE', brief }) => `| \`${placeholder}\` | ${cell(brief)} |`)
  return [['| argument | meaning |', '|---|---|', ...rows].join('\n')]
}

function flagTable(flags: Readonly<Record<string, Flag>>): string {
  const rows = Object.entries(flags).map(([name, flag]) => {
    const value = valueOf(flag)
    const written = `${shortName(name)}${longName(name)}${value === '' ? '' : ` ${value}`}`
    return `| \`${written.replaceAll('|', '\\|')}\` | ${cell(flag.brief)} | ${defaultOf(flag)} |`
  })
  return ['| flag | meaning | default |', '|---|---|---|', ...rows].join('\n')
}

function valueOf(flag: Flag): string {
  if (flag.kind === 'enum') return flag.values.join('|')
  return flag.kind === 'parsed' ? (flag.placeholder ?? 'VALUE') : ''
}

function defaultOf(flag: Flag): string {
  if (isNeeded(flag)) return 'needed'
  const value = 'default' in flag ? flag.default : undefined
  return value === undefined || typeof value === 'boolean' ? '' : `\`${String(value)}\``
}

function isNeeded(flag: Flag): boolean {
  return flag.optional !== true && (!('default' in flag) || flag.default === undefined)
}

function shortName(name: string): string {
  return name === 'format' ? '-f, ' : name === 'column' ? '-c, ' : ''
}

function longName(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

const HEAD = `# The command line

<!-- Written by scripts/generate-cli-reference.ts from the commands themselves: change those, then run it again. -->

\`mainstay <command>\`; in the repository \`npx mainstay\` after \`npm ci\`. Every command explains itself with \`-h\`.

## What scripts may rely on

| exit code | meaning |
|---|---|
| ${EXIT.done} | done |
| ${EXIT.failed} | failed: the error is one line on standard error; \`--debug\` tells more |
| ${EXIT.usage} | the command line is wrong; nothing was done |
| ${EXIT.refused} | refused by a rule; its reason is on standard error |
| ${EXIT.unreachable} | no server answered in time |

- \`-f\`, \`-c\`, \`--sort-column\`, \`--noindent\` and \`--fit-width\` are those of the \`openstack\` client, and so are the names and
  the order of the columns. Flags may be written with underscores (\`--recovery_method\`).
- Columns that a command does not print by itself can be chosen with \`-c\`; a wrong name is answered with those that exist.
- \`--watch\` shows the newest state on a terminal and prints each change into a pipe. Interrupting it is no failure.
- \`--dry-run\` checks what it can, prints the call that would be made, and changes nothing.
- Segments and hosts can be given by name or uuid.
- Durations are written \`500ms\`, \`30s\`, \`10m\`, \`2h\`, \`1d\`; a bare number is seconds.

| environment | meaning |
|---|---|
| \`MAINSTAY_ENDPOINT\` | the server, where \`--endpoint\` does not name one |
| \`OS_TOKEN\` | a Keystone token, where \`--os-token\` does not give one |
| \`OS_USERNAME\`, \`USER\` | who asserts, where \`--asserted-by\` does not say it |
| \`CLIFF_FIT_WIDTH=1\` | as \`--fit-width\` |
| \`COLUMNS\` | the width that tables are to fit where the output is no terminal |

${ALIASES.map(({ route, of }) => `\`${route} …\` is the same as \`${of} …\`, for those who know the \`openstack\` client.`).join('\n')}`
