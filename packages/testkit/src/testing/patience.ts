/**
 * Upper bounds of time in the kit's own tests.
 *
 * A bound of the specification is meant for a machine that has time for the test. On one that has not, a test that
 * holds the kit to it measures the machine. So the suite allows {@link factor} times the specified bound: enough for two
 * CPU hogs on two processors and a few busy neighbours, and still far below what a wait for a time-out would take.
 * `MAINSTAY_TESTKIT_PATIENCE=1` holds the kit to the specification itself: for a quiet machine.
 */
const factor = Number(process.env['MAINSTAY_TESTKIT_PATIENCE'] ?? 10)

/** @param specifiedMs the bound that the specification gives, in milliseconds */
export function atMostMs(specifiedMs: number): number {
  return specifiedMs * factor
}

/** For waits that end as soon as they can: long enough never to be what decides. */
export const patientMs = 30_000

/** The same bound in a title: "within 10 s". A title is to promise what the test holds the kit to. */
export function within(specifiedMs: number): string {
  return `within ${atMostMs(specifiedMs) / 1000} s`
}
