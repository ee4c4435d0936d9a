/** Something that goes on until it is stopped. */
export interface Running {
  /** For the person who started it: the address, where the data is, what to do next. */
  readonly banner: readonly string[]
  /** Resolves when it has ended by itself; rejects with the reason. */
  readonly ended: Promise<void>
  /** Reads its configuration again (SIGHUP); missing where that changes nothing. @throws InvalidInputError */
  readonly reload?: () => Promise<void>
  /** Ends it in good order, within the time that its configuration allows. */
  stop(): Promise<void>
}
