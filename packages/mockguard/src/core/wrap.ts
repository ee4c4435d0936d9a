import { nativeObject, nativeReflect } from './natives.ts'
const originals = new WeakMap<object, object>()

type Callable = (this: unknown, ...args: unknown[]) => unknown

/**
 * Replaces a method by one that calls it and then looks at the result. The replacement has the same name, length and
 * attributes, passes `this` and arguments through, returns what the method returned, and takes its own frame out of the
 * stack of an error. Returns a function that puts the method back, or undefined when there is nothing to wrap.
 *
 * The name is also what runners search for in a stack to find the caller's file (`vi.doMock`), hence the computed method.
 */
export function wrapMethod(
  target: object,
  name: string,
  around: (call: () => unknown, args: readonly unknown[], self: unknown, wrapper: Callable) => unknown,
): (() => void) | undefined {
  const descriptor = nativeObject.getOwnPropertyDescriptor(target, name)
  const original = descriptor?.value as unknown
  if (!descriptor || typeof original !== 'function' || originals.has(original)) return undefined
  if (!descriptor.writable && !descriptor.configurable) return undefined
  const wrapper = {
    [name](this: unknown, ...args: unknown[]): unknown {
      return around(() => callThrough(original as Callable, this, args), args, this, wrapper)
    },
  }[name] as Callable
  for (const key of nativeReflect.ownKeys(original)) {
    if (key === 'prototype' || key === 'arguments' || key === 'caller') continue
    nativeObject.defineProperty(wrapper, key, nativeObject.getOwnPropertyDescriptor(original, key)!)
  }
  originals.set(wrapper, original)
  nativeObject.defineProperty(target, name, { ...descriptor, value: wrapper })
  return () => {
    if (nativeObject.getOwnPropertyDescriptor(target, name)?.value === wrapper)
      nativeObject.defineProperty(target, name, descriptor)
  }
}

export function isWrapped(value: unknown): boolean {
  return typeof value === 'function' && originals.has(value)
}

function callThrough(original: Callable, self: unknown, args: unknown[]): unknown {
  try {
    return nativeReflect.apply(original, self, args)
  } catch (error) {
    if (error instanceof Error && typeof error.stack === 'string') hideFrames(error)
    throw error
  }
}

function hideFrames(error: Error): void {
  const lines = error.stack!.split('\n')
  const kept = lines.filter((line) => !ownFiles.some((own) => line.includes(own)))
  if (kept.length < lines.length) {
    nativeObject.defineProperty(error, 'stack', {
      value: kept.join('\n'),
      writable: true,
      configurable: true,
      enumerable: false,
    })
  }
}

const ownFiles = [import.meta.url.replace('file://', ''), new URL('../creators/', import.meta.url).pathname]
