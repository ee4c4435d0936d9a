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
