import { Type } from 'typebox'

import { RECOVERY_METHODS } from '../records/segment.ts'
import { bodySchema, booleanLike, closed, nameText, nullableDescription, oneOf } from './schema.ts'

/** Bodies of segments. Source: ha-api.md 6.2. */

const base = {
  name: nameText,
  recovery_method: oneOf(RECOVERY_METHODS),
  service_type: nameText,
}

const optionalBase = {
  name: Type.Optional(nameText),
  recovery_method: Type.Optional(oneOf(RECOVERY_METHODS)),
  service_type: Type.Optional(nameText),
}

const description = { description: Type.Optional(nullableDescription) }
const enabled = { enabled: Type.Optional(booleanLike) }

export const createSegmentBase = bodySchema(closed({ segment: closed({ ...base, ...description }) }))

/** From 1.2 on, `enabled` may be given. */
export const createSegment = bodySchema(closed({ segment: closed({ ...base, ...description, ...enabled }) }))

export const updateSegmentBase = bodySchema(
  closed({ segment: closed({ ...optionalBase, ...description }, { minProperties: 1 }) }),
)

export const updateSegment = bodySchema(
  closed({ segment: closed({ ...optionalBase, ...description, ...enabled }, { minProperties: 1 }) }),
)
