import { Type } from 'typebox'

import { alphanumericText, bodySchema, booleanLike, closed, descriptionText, nameText } from './schema.ts'

/** Bodies of hosts. `type` and `control_attributes` may not be null, unlike in the reference. Source: ha-api.md 7.2. */

const flags = { reserved: Type.Optional(booleanLike), on_maintenance: Type.Optional(booleanLike) }

export const createHost = bodySchema(
  closed({ host: closed({ name: nameText, type: alphanumericText, control_attributes: descriptionText, ...flags }) }),
)

export const updateHost = bodySchema(
  closed({
    host: closed(
      {
        name: Type.Optional(nameText),
        type: Type.Optional(alphanumericText),
        control_attributes: Type.Optional(descriptionText),
        ...flags,
      },
      { minProperties: 1 },
    ),
  }),
)
