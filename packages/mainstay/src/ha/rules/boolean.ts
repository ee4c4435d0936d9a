/** The spellings of a boolean that a body may use beside `true` and `false`. Source: ha-api.md 5.4. */
export const TRUE_TEXTS = ['True', 'TRUE', 'true', '1', 'ON', 'On', 'on', 'YES', 'Yes', 'yes'] as const
export const FALSE_TEXTS = ['False', 'FALSE', 'false', '0', 'OFF', 'Off', 'off', 'NO', 'No', 'no'] as const

/** The meaning of a boolean of a body that passed its schema. */
export function bodyBoolean(value: boolean | string): boolean {
  return typeof value === 'boolean' ? value : TRUE_TEXTS.some((text) => text === value)
}

/** The lenient spellings of a query parameter, in any case; undefined when it is none of them. Source: ha-api.md 7.3. */
export function queryBoolean(text: string): boolean | undefined {
  const value = text.trim().toLowerCase()
  if (['1', 't', 'true', 'on', 'y', 'yes'].includes(value)) return true
  if (['0', 'f', 'false', 'off', 'n', 'no'].includes(value)) return false
  return undefined
}
