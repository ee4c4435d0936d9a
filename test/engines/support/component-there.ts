import { skipReason, type ComponentName } from '@mainstay/testkit'
import { vi, type TestContext } from 'vitest'

/** In the run that promises to have everything, a missing program is a failure; elsewhere the test is skipped. */
export async function skipUnlessThere(ctx: TestContext, name: ComponentName): Promise<void> {
  if (process.env['MAINSTAY_TEST_ALL'] === '1') {
    vi.stubEnv('MAINSTAY_TESTKIT_REQUIRE', name)
    ctx.onTestFinished(() => void vi.unstubAllEnvs())
  }
  const reason = await skipReason(name)
  ctx.skip(reason !== undefined, reason)
}
