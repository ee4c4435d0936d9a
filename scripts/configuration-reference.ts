import { ConfigSchema } from '../packages/mainstay/src/server/config/schema.ts'

interface OptionSchema {
  readonly description?: string
  readonly default?: unknown
  readonly type?: string
  readonly anyOf?: readonly (OptionSchema & { readonly const?: unknown })[]
  readonly items?: OptionSchema & { readonly properties?: Readonly<Record<string, OptionSchema>> }
  readonly properties?: Readonly<Record<string, OptionSchema>>
}

const INTRODUCTION = `# Configuration

Every option, made from the schema that checks them. An option is set, the later winning, by a \`masakari.conf\` that is
imported (\`--import-conf\`), in the TOML file (\`--config\`), by an environment variable (\`MAINSTAY__SECTION__OPTION\`),
with \`--set section.option=value\`, and by a flag of its own. Names that end in \`_ms\` are milliseconds.

Where an imported \`masakari.conf\` says nothing, what Masakari does holds for three things, so that a switch neither opens the
API nor hides it: \`auth.strategy\` is \`keystone\`, \`server.listen\` is \`0.0.0.0:15868\`, and the policy is \`policy.yaml\` and
\`policy.d\` beside the file. \`mainstay check --import-conf FILE\` names the options that have no meaning here.
References (\`$host\`, \`\${group.option}\`, \`$$\`) are filled in as oslo.config does it; \`check\` names those to options that do
not exist, with their lines.

SIGHUP has a server read all of this again. \`log.level\`, the policy files, \`ha.retry_new_after_ms\` and the pool's groups hold at
once; everything else with the next start. A configuration that is wrong changes nothing, and the reason is printed.
`

/** The page \`docs/reference/configuration.md\`. */
export function configurationPage(): string {
  const sections = Object.entries(ConfigSchema.properties as Readonly<Record<string, OptionSchema>>)
  return [INTRODUCTION, ...sections.flatMap(([name, section]) => sectionTexts(name, section))].join('\n')
}

/** The text of a section, and of those in it. */
function sectionTexts(name: string, { properties = {} }: OptionSchema): string[] {
  const inner = Object.entries(properties).filter(([, schema]) => schema.properties !== undefined)
  const options = Object.entries(properties).filter(([, schema]) => schema.properties === undefined)
  return [
    sectionText(name, { properties: Object.fromEntries(options) }),
    ...inner.flatMap(([option, schema]) => sectionTexts(`${name}.${option}`, schema)),
  ]
}

function sectionText(name: string, { properties = {} }: OptionSchema): string {
  const rows = Object.entries(properties).map(
    ([option, schema]) =>
      `| \`${option}\` | ${typeText(schema)} | ${defaultText(schema)} | ${(schema.description ?? '').replaceAll('|', '\\|')} |`,
  )
  const tables = Object.entries(properties).flatMap(([option, { items }]) =>
    items?.properties === undefined ? [] : [entryText(`${name}.${option}`, items.properties)],
  )
  return [`## ${name}\n`, '| option | kind | default | meaning |', '|---|---|---|---|', ...rows, '', ...tables].join(
    '\n',
  )
}

function entryText(name: string, properties: Readonly<Record<string, OptionSchema>>, what = 'Each entry of'): string {
  const rows = Object.entries(properties).map(
    ([member, schema]) =>
      `| \`${member}\` | ${typeText(schema)} | ${defaultText(schema)} | ${(schema.description ?? '').replaceAll('|', '\\|')} |`,
  )
  const heading = ['| member | kind | default | meaning |', '|---|---|---|---|']
  const inner = Object.entries(properties).flatMap(([member, { items, properties: own }]) => {
    if (own !== undefined) return [entryText(`${name}.${member}`, own, 'The members of')]
    return items?.properties === undefined ? [] : [entryText(`${name}.${member}`, items.properties)]
  })
  return [`${what} \`${what === 'Each entry of' ? `[[${name}]]` : name}\`:\n`, ...heading, ...rows, '', ...inner].join(
    '\n',
  )
}

function typeText({ type, anyOf, items }: OptionSchema): string {
  if (anyOf !== undefined) {
    const literal = anyOf.every((each) => 'const' in each)
    if (!literal) return anyOf.map(typeText).join(' or ')
    return anyOf.map(({ const: value }) => `\`${String(value)}\``).join(', ')
  }
  if (type !== 'array') return type ?? ''
  return items?.properties === undefined ? `list of ${typeText(items ?? {})}` : 'list of tables'
}

function defaultText({ default: fallback }: OptionSchema): string {
  return fallback === undefined || fallback === '' ? '' : `\`${JSON.stringify(fallback).replaceAll('|', '\\|')}\``
}
