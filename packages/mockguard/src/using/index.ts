import type { Key } from '../core/key.ts'

/** Undone at the end of its block by `using`, or by calling `restore`. */
export interface Undo extends Disposable {
  restore(): void
}

function undoable(undo: () => void): Undo {
  let done = false
  const restore = (): void => {
    if (done) return
    done = true
    undo()
  }
  return { restore, [Symbol.dispose]: restore }
}

function replace(target: object, key: Key, descriptor: PropertyDescriptor): () => void {
  const before = Object.getOwnPropertyDescriptor(target, key)
  Object.defineProperty(target, key, { configurable: true, enumerable: before?.enumerable ?? true, ...descriptor })
  return () => {
    if (before) Object.defineProperty(target, key, before)
    else Reflect.deleteProperty(target, key)
  }
}

export interface Stub extends Undo {
  /** The arguments of each call, oldest first. */
  readonly calls: readonly (readonly unknown[])[]
}

type Implementation = (...args: never[]) => unknown

/** Replaces a method for a block: `using send = stub(svc, 'send', () => 'x')`. Without an implementation it returns undefined. */
export function stub(target: object, key: Key, implementation: Implementation = () => undefined): Stub {
  const calls: unknown[][] = []
  const replacement = function (this: unknown, ...args: unknown[]): unknown {
    calls.push(args)
    return Reflect.apply(implementation, this, args)
  }
  const undo = undoable(replace(target, key, { value: replacement, writable: true }))
  return { ...undo, calls }
}

/** Several methods at once: `using all = mockAll(utils, { exec: async () => '', rnd: () => 1 })`. */
export function mockAll<T extends object>(
  target: T,
  implementations: Partial<Record<keyof T & string, Implementation>>,
): Undo & { readonly stubs: Readonly<Record<string, Stub>> } {
  const stubs: Record<string, Stub> = {}
  for (const [key, implementation] of Object.entries<Implementation | undefined>(implementations)) {
    stubs[key] = stub(target, key, implementation)
  }
  return {
    ...undoable(() =>
      Object.values(stubs)
        .toReversed()
        .forEach((one) => one.restore()),
    ),
    stubs,
  }
}

/** Replaces properties by values: `using _ = patch(config, { retries: 0 })`. */
export function patch<T extends object>(target: T, values: Partial<T>): Undo {
  const undos = Reflect.ownKeys(values).map((key) =>
    replace(target, key, { value: Reflect.get(values, key) as unknown, writable: true }),
  )
  return undoable(() => undos.toReversed().forEach((undo) => undo()))
}

/** A value of a configuration object: `using _ = patchConfig(config, 'maxVolume', 10, { section: 'audio' })`. */
export function patchConfig(config: object, name: string, value: unknown, options: { section?: string } = {}): Undo {
  const home = options.section === undefined ? config : (Reflect.get(config, options.section) as unknown)
  if (typeof home !== 'object' || home === null)
    throw new TypeError(`the configuration has no section ${String(options.section)}`)
  return undoable(replace(home, name, { value, writable: true }))
}

/** Environment variables; undefined removes one: `using _ = env({ TZ: 'UTC', HOME: undefined })`. */
export function env(values: Readonly<Record<string, string | undefined>>): Undo {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const)
  const put = (name: string, value: string | undefined): void => {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  for (const [name, value] of Object.entries(values)) put(name, value)
  return undoable(() => before.toReversed().forEach(([name, value]) => put(name, value)))
}

interface Clock extends Undo {
  /** Moves the time that `Date` shows, in milliseconds. */
  advance(byMs: number): void
}

/** A fixed time: `using time = clock('2030-01-01T00:00:00Z')`. Timers stay real; only `Date` stands still. */
export function clock(at: string | number | Date = 0): Clock {
  let nowMs = new Date(at).getTime()
  const RealDate = globalThis.Date
  const FixedDate: DateConstructor = new Proxy(RealDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(
        target,
        args.length === 0 ? [nowMs] : args,
        newTarget === FixedDate ? target : newTarget,
      ) as object,
    apply: () => new RealDate(nowMs).toString(),
    get: (target, key, receiver) => (key === 'now' ? () => nowMs : (Reflect.get(target, key, receiver) as unknown)),
  })
  const undo = undoable(replace(globalThis, 'Date', { value: FixedDate, writable: true, enumerable: false }))
  return { ...undo, advance: (byMs) => void (nowMs += byMs) }
}

interface Emitter {
  on(event: string | symbol, listener: (...args: never[]) => void): unknown
  off(event: string | symbol, listener: (...args: never[]) => void): unknown
}

/** A listener for a block: `using _ = listener(process, 'SIGTERM', () => {})`. */
export function listener(emitter: Emitter, event: string | symbol, fn: (...args: never[]) => void): Undo {
  emitter.on(event, fn)
  return undoable(() => emitter.off(event, fn))
}
