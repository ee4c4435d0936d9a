import fs from 'node:fs'

/**
 * The functions that the guard itself works with, as they were when it was loaded. A test may leave any of them mocked, and
 * neither must the guard be misled by that nor must the mock count its calls (testkit.md M-21).
 */
const copyOf = <T extends object>(home: T): T => Object.create(null, Object.getOwnPropertyDescriptors(home)) as T

export const nativeObject = copyOf(Object)
export const nativeReflect: typeof Reflect = copyOf(Reflect)
export const nativeJson = copyOf(JSON)
export const { isArray } = Array
export const { appendFileSync, writeSync } = fs
/** Milliseconds of the machine's own clock, also while a fake one is on. */
export const nowMs = performance.now.bind(performance)
