const fixes: readonly (readonly [RegExp, string])[] = [
  [/^vi\.spyOn$/, 'using spy = vi.spyOn(…)   or   restoreMocks: true'],
  [/^vi\.stubGlobal$/, 'onTestFinished(() => vi.unstubAllGlobals())   or   unstubGlobals: true'],
  [/^vi\.stubEnv$/, 'onTestFinished(() => vi.unstubAllEnvs())   or   unstubEnvs: true'],
  [/^vi\.(useFakeTimers|setSystemTime)$/, 'onTestFinished(() => vi.useRealTimers())'],
  [/^vi\.doMock$/, 'onTestFinished(() => vi.doUnmock(…))'],
  [/^jest\.spyOn$/, 'using spy = jest.spyOn(…)   or   restoreMocks: true'],
  [/^jest\.replaceProperty$/, 'using replaced = jest.replaceProperty(…)   or   restoreMocks: true'],
  [/^jest\.useFakeTimers$/, 'afterEach(() => jest.useRealTimers())'],
  [/^jest\.doMock$/, 'jest.dontMock(…) in afterEach'],
  [/^sinon\.useFakeTimers$/, 'clock.restore() in afterEach'],
  [/^sinon/, 'a sandbox of the test, and sandbox.restore() in afterEach'],
  [/^mock\.timers/, 't.mock.timers instead of mock.timers, or mock.timers.reset() in t.after'],
  [
    /^mock\.fn$/,
    "using _ = patch(object, { … }) from '@mainstay/mockguard/using': restoreAll does not undo an assignment",
  ],
  [/^(mock|t\.mock)\./, 't.mock.method(…): undone with the test   or   mock.restoreAll() in afterEach'],
  [
    /^(vi|jest)\.fn$/,
    "using _ = patch(object, { … }) from '@mainstay/mockguard/using': restoreAllMocks does not undo an assignment",
  ],
]

/** What would have undone a mock of this creator (testkit.md B7). */
export function fixFor(creator: string): string {
  return (
    fixes.find(([pattern]) => pattern.test(creator))?.[1] ??
    "using _ = patch(object, { … }) from '@mainstay/mockguard/using', or put the original back in onTestFinished"
  )
}
