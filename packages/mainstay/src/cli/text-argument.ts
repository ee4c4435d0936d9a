/** A positional argument that is taken as it is. */
export function textArgument<const Placeholder extends string>(placeholder: Placeholder, brief: string) {
  return { parse: String, placeholder, brief } as const
}

/** A flag whose value is taken as it is. */
export function textFlag<const Placeholder extends string>(placeholder: Placeholder, brief: string) {
  return { kind: 'parsed', parse: String, placeholder, brief, optional: true } as const
}
