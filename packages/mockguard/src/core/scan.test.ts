import { EventEmitter } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { isMock, recognizeMock } from './is-mock.ts'
import { scan } from './scan.ts'
import type { Root } from './roots.ts'
import { assertNoDanglingMocks, diff, matchers, restore, snapshot } from './index.ts'
import { Tracker } from './tracker.ts'

const foreign = (): (() => void) => Object.assign(() => undefined, { _isMockFunction: true })
const root = (label: string, exports: unknown, importers: string[] = []): Root => ({
  label,
  id: label,
  exports,
  importers: new Set(importers),
})
const paths = (exports: unknown, depth = 2): string[] =>
  scan([root('m', exports)], { depth }).slots.map((slot) => slot.path)

describe('scan', () => {
  test('M-4 a nested class is below depth 2 and within depth 3', () => {
    class Inner {
      readonly kind = 'inner'
    }
    class Outer {
      static readonly Inner = Inner
      readonly kind = 'outer'
    }
    Object.assign(Inner.prototype, { go: foreign() })
    expect(paths({ Outer })).toEqual([])
    expect(paths({ Outer }, 3)).toEqual(['m#Outer.Inner.prototype.go'])
  })

  test('M-5 arrays, maps and sets are entered from depth 3 on', () => {
    const exports = { list: [foreign()], map: new Map([['key', foreign()]]), set: new Set([foreign()]) }
    expect(paths(exports)).toEqual([])
    expect(paths(exports, 3)).toEqual(['m#list[0]', 'm#map.key', 'm#set[0]'])
  })

  test('M-19 a class reachable from three modules is one slot with two aliases, named by the module that the others import', () => {
    class Svc {
      readonly kind = 'svc'
    }
    Object.assign(Svc.prototype, { run: foreign() })
    const found = scan([root('a', { Svc }), root('b', { Svc }), root('home', { Svc }, ['a', 'b'])], { depth: 2 })
    expect(found.slots.map(({ path, also }) => [path, also])).toEqual([
      ['home#Svc.prototype.run', ['a#Svc.prototype.run', 'b#Svc.prototype.run']],
    ])
  })

  test('M-20 runs no code of what it looks at and survives everything', () => {
    let calls = 0
    const counting = {
      get value(): number {
        return (calls += 1)
      },
      get thrower(): never {
        calls += 1
        throw new Error('no')
      },
    }
    const trap = (): never => {
      calls += 1
      throw new Error('trap')
    }
    const hostile = new Proxy(
      {},
      { get: trap, ownKeys: trap, getOwnPropertyDescriptor: trap, getPrototypeOf: trap, has: trap },
    )
    const { proxy: revoked, revoke } = Proxy.revocable({}, {})
    revoke()
    const cyclic: Record<string, unknown> = { frozen: Object.freeze({ deep: Object.freeze([1]) }) }
    cyclic['self'] = cyclic
    const huge = Array.from({ length: 100_000 }, (_, at) => ({ at }))
    const bytes = new Uint8Array(1_000_000)
    const found = scan([root('m', { counting, hostile, revoked, cyclic, huge, bytes, leak: foreign() })], { depth: 5 })
    expect(found.slots.map((slot) => slot.path)).toEqual(['m#leak'])
    expect(calls).toBe(0)
    expect(found.skipped).toBeGreaterThan(0)
    expect(found.visited).toBeLessThan(1_000)
  })

  test('M-20 an export that is not initialised is skipped and counted', () => {
    const namespace = Object.defineProperty({}, Symbol.toStringTag, { value: 'Module' })
    Object.defineProperty(namespace, 'late', {
      enumerable: true,
      get: () => {
        throw new ReferenceError('late')
      },
    })
    Object.defineProperty(namespace, 'there', { enumerable: true, get: () => mock })
    const mock = foreign()
    const found = scan([root('m', namespace)], { depth: 2 })
    expect(found.slots.map((slot) => slot.path)).toEqual(['m#there'])
    expect(found.skipped).toBe(1)
  })

  test('M-21 looking changes no call count', () => {
    const spy = vi.fn(() => 1)
    const target = Object.defineProperty({}, 'value', { configurable: true, get: spy })
    paths({ target, spy }, 4)
    expect(spy).toHaveBeenCalledTimes(0)
  })

  test('shared emitters are found, so that their listeners can be watched', () => {
    expect(scan([root('m', { bus: new EventEmitter() })], { depth: 2 }).emitters.map((one) => one.path)).toEqual([
      'm#bus',
    ])
  })
})

describe('what a mock is', () => {
  test.each<[string, unknown, boolean]>([
    ['a Vitest or Jest mock', vi.fn(), true],
    ['sinon', Object.assign(() => undefined, { isSinonProxy: true }), true],
    [
      'sinon’s restore',
      Object.assign(() => undefined, { restore: Object.assign(() => undefined, { sinon: true }) }),
      true,
    ],
    ['M-22 a function that carries its mock', Object.assign(() => undefined, { mock: foreign() }), true],
    ['M-22 a deep mock that is a proxy', new Proxy({ _isMockObject: true }, {}), true],
    ['a function', () => undefined, false],
    ['a proxy', new Proxy({}, {}), false],
    ['an object', { mock: 1 }, false],
    ['nothing', undefined, false],
  ])('%s', (_title, value, expected) => expect(isMock(value)).toBe(expected))

  test('a library that is not known can be taught', () => {
    class Fake {
      readonly kind = 'fake'
    }
    const undo = recognizeMock((value) => value instanceof Fake)
    const before = isMock(new Fake())
    undo()
    expect([before, isMock(new Fake())]).toEqual([true, false])
  })
})

describe('the core interface', () => {
  test('M-18 the difference is by place and identity', () => {
    const svc: Record<string, unknown> = { kept: foreign() }
    const roots = { 'src/svc.ts': { svc } }
    const before = snapshot({ roots })
    svc['fresh'] = foreign()
    svc['moved'] = svc['kept']
    expect(diff(before, snapshot({ roots })).map((one) => one.path)).toEqual([
      'src/svc.ts#svc.fresh',
      'src/svc.ts#svc.moved',
    ])
    const swapped = snapshot({ roots })
    svc['kept'] = foreign()
    expect(diff(swapped, snapshot({ roots })).map((one) => one.path)).toEqual(['src/svc.ts#svc.kept'])
  })

  test('restore puts originals back and returns what refuses', () => {
    const original = (): number => 1
    const svc: Record<string, unknown> = { send: original }
    const roots = { m: { svc } }
    const before = snapshot({ roots })
    svc['send'] = foreign()
    Object.defineProperty(svc, 'nailed', { value: foreign(), configurable: false })
    const left = restore(diff(before, snapshot({ roots })))
    expect([svc['send'], left.map((one) => one.path)]).toEqual([original, ['m#svc.nailed']])
  })

  test('M-46 a whole module replaced by a mock is named', () => {
    expect(snapshot({ roots: { m: foreign() } }).mocks).toEqual([{ path: 'm#', kind: 'K5' }])
  })

  test('a block that leaves a mock behind is refused', async () => {
    const svc: Record<string, unknown> = {}
    const roots = { m: { svc } }
    await expect(assertNoDanglingMocks(() => (svc['x'] = foreign()), { roots })).rejects.toThrow(
      "Member 'm#svc.x' needs to be unmocked.",
    )
    await expect(assertNoDanglingMocks(() => 7, { roots })).resolves.toBe(7)
  })
})

test('M-23 the tracker holds neither target nor mock', async () => {
  const tracker = new Tracker()
  const collected: string[] = []
  const registry = new FinalizationRegistry<string>((name) => collected.push(name))
  const fill = (): void => {
    for (let at = 0; at < 50; at += 1) {
      const target = { m: (): void => undefined }
      const mock = foreign()
      const original = Object.getOwnPropertyDescriptor(target, 'm')
      target.m = mock
      registry.register(target, 'target')
      registry.register(mock, 'mock')
      tracker.spied({
        target,
        key: 'm',
        access: 'value',
        mock,
        original,
        origin: tracker.origin('vi.spyOn', fill),
        undoneBy: null,
        late: false,
      })
    }
  }
  fill()
  const { setFlagsFromString } = await import('node:v8')
  const { runInNewContext } = await import('node:vm')
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  await vi.waitFor(
    () => {
      collect()
      expect(collected.filter((name) => name === 'target').length).toBeGreaterThan(40)
      expect(collected.filter((name) => name === 'mock').length).toBeGreaterThan(40)
    },
    { timeout: 5_000, interval: 20 },
  )
  expect(tracker.sweep().length).toBeLessThan(10)
})

describe('toLeaveNoMocks', () => {
  const assertion = (block: () => unknown, roots: Record<string, unknown>) => matchers.toLeaveNoMocks(block, { roots })

  test('passes for a block that undoes what it did', async () => {
    const svc = { send: () => 'sent' }
    const told = await assertion(
      () => {
        using spy = vi.spyOn(svc, 'send')
        expect(spy).not.toHaveBeenCalled()
      },
      { svc },
    )
    expect([told.pass, told.message()]).toEqual([true, 'expected the block to leave a mock behind'])
  })

  test('names what an asynchronous block leaves', async () => {
    const svc = { send: () => 'sent' }
    const told = await assertion(
      async () => {
        await Promise.resolve()
        vi.spyOn(svc, 'send')
      },
      { svc },
    )
    expect([told.pass, told.message()]).toEqual([false, 'the block left mocks behind: svc#send'])
  })
})
