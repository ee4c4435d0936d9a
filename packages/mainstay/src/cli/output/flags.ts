export const FORMATS = ['table', 'json', 'yaml', 'csv', 'value'] as const
export type Format = (typeof FORMATS)[number]

/** The flags of every command that prints a record. The names are those of the `openstack` client. */
export interface OutputFlags {
  readonly format: Format
  readonly column?: readonly string[]
  readonly noindent: boolean
  readonly fitWidth: boolean
}

/** The flags of every command that prints a list. */
export interface ListOutputFlags extends OutputFlags {
  readonly sortColumn?: readonly string[]
}

export const outputFlags = {
  format: { kind: 'enum', values: FORMATS, default: 'table', placeholder: 'FORMAT', brief: 'How to print' },
  column: {
    kind: 'parsed',
    parse: String,
    optional: true,
    variadic: true,
    placeholder: 'COLUMN',
    brief: 'Print only this column; may be repeated',
  },
  noindent: { kind: 'boolean', default: false, withNegated: false, brief: 'Print json on one line' },
  fitWidth: {
    kind: 'boolean',
    default: false,
    withNegated: false,
    brief: 'Make tables as wide as the terminal at most; also with CLIFF_FIT_WIDTH=1',
  },
} as const

export const listOutputFlags = {
  ...outputFlags,
  sortColumn: {
    kind: 'parsed',
    parse: String,
    optional: true,
    variadic: true,
    placeholder: 'COLUMN',
    brief: 'Sort the printed rows by this column; may be repeated',
  },
} as const

/** The short forms of the `openstack` client. */
export const outputAliases = { f: 'format', c: 'column' } as const
