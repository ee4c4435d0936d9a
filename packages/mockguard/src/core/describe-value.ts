import { inspect, types } from 'node:util'
import { isArray, nativeJson } from './natives.ts'
import { isMock, ownData } from './is-mock.ts'
import { NeverRead } from './untouched.ts'

/** A few words for a value, for the `original` and `current` columns of a finding. Never runs code of its owner. */
export function describeValue(value: unknown): string {
  if (typeof value === 'function') return isMock(value) ? describeMock(value) : describeFunction(value)
  if (typeof value === 'string') return nativeJson.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)
  if (typeof value === 'object' && value !== null) {
    if (types.isProxy(value)) return isMock(value) ? 'mock object' : 'proxy'
    return inspect(value, { depth: 0, getters: false, customInspect: false, breakLength: Infinity }).slice(0, 60)
  }
  return String(value)
}

export function describeDescriptor(descriptor: PropertyDescriptor | undefined): string {
  if (!descriptor) return 'absent'
  if (descriptor.value instanceof NeverRead) return `native ${String(descriptor.value.key)}`
  if ('value' in descriptor) return describeValue(descriptor.value)
  const mock: unknown = [ownData(descriptor, 'get'), ownData(descriptor, 'set')].find((access) => isMock(access))
  return typeof mock === 'function' ? describeMock(mock) : 'accessor'
}

function describeMock(value: object): string {
  if (types.isProxy(value)) return 'mock'
  const state = ownData(value, 'mock')
  const calls = typeof state === 'object' && state !== null ? ownData(state, 'calls') : undefined
  return isArray(calls) ? `mock, ${calls.length} ${calls.length === 1 ? 'call' : 'calls'}` : 'mock'
}

function nameOf(value: object): string {
  const name = ownData(value, 'name')
  return typeof name === 'string' ? name : 'function'
}

/** `async powerOff(node)`: the head of a function as it was written, at most 60 characters. */
function describeFunction(value: object): string {
  if (types.isProxy(value)) return 'function'
  const source = Function.prototype.toString.call(value)
  if (source.includes('[native code]')) return `native ${nameOf(value)}()`
  const head = /^[^{\n]*?\)/.exec(source)?.[0] ?? source.split('\n', 1)[0] ?? 'function'
  return head.length > 60 ? `${head.slice(0, 57)}...` : head
}
