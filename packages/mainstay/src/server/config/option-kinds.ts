import { Type } from 'typebox'

/** An option that is a text. */
export const text = (description: string, fallback: string): ReturnType<typeof Type.String> =>
  Type.String({ description, default: fallback })

/** An option that is yes or no. */
export const flag = (description: string, fallback: boolean): ReturnType<typeof Type.Boolean> =>
  Type.Boolean({ description, default: fallback })

/** An option that is a whole number. */
export const count = (description: string, fallback: number, minimum = 0): ReturnType<typeof Type.Integer> =>
  Type.Integer({ description, default: fallback, minimum })

/** A section without other options than those that are named. */
export const closed = { additionalProperties: false } as const

/** What groups, labels and providers are called: it stands in names of machines, in paths and in keys. */
export const name = (description: string) => Type.String({ description, pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$' })

/** An option that is a list of words. */
export const words = (description: string, fallback: readonly string[] = []) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { description, default: [...fallback] })

/** An option that is a number, also a broken one. */
export const amount = (description: string, fallback: number) =>
  Type.Number({ description, default: fallback, minimum: 0 })

/** An option that is a program with its arguments. */
export const command = (description: string) => Type.Array(Type.String(), { description, minItems: 1 })
