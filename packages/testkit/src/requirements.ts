import { findExecutable, packageOf } from './process/executable.ts'

/** The reason to skip a test that needs a program, with the package to install; undefined when it is there. */
export function missingExecutable(program: string): string | undefined {
  if (findExecutable(program) !== undefined) return undefined
  const name = packageOf(program)
  return `${program} not found${name === undefined ? '' : `: apt-get install ${name}`}`
}

/** The reason to skip when a test is switched off; undefined when it is not. */
export function skipIfDisabled(options: { disabled?: boolean; disabledReason?: string }): string | undefined {
  return options.disabled === true ? (options.disabledReason ?? 'Test disabled') : undefined
}
