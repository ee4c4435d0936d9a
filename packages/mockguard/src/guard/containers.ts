import { types } from 'node:util'
import { isArray } from '../core/natives.ts'
import type { MockSlot } from '../core/scan.ts'

/** What a slot held before: an absent descriptor says that it was not there. */
export type Before = { readonly descriptor: PropertyDescriptor | undefined }

/** Arrays, maps and sets hold mocks in places that are no properties, or that close up when one is taken out. */
export function isContainer(owner: object): boolean {
  return isArray(owner) || types.isMap(owner) || types.isSet(owner)
}

/** Takes a mock out of its container, or puts back what was in its place. Throws TypeError when the container refuses. */
export function takeOut({ owner, mock }: Pick<MockSlot, 'owner' | 'mock'>, { descriptor }: Before): void {
  if (types.isSet(owner)) {
    owner.delete(mock)
  } else if (types.isMap(owner)) {
    for (const [key, value] of owner) {
      if (value !== mock) continue
      if (descriptor) owner.set(key, descriptor.value)
      else owner.delete(key)
    }
  } else if (isArray(owner)) {
    const at = owner.indexOf(mock)
    if (at < 0) return
    if (descriptor) owner[at] = descriptor.value
    else owner.splice(at, 1)
  }
}
