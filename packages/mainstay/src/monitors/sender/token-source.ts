/** Who vouches for the sender. Keystone's is filled in by the composition root. */
export interface TokenSource {
  /**
   * The value of `X-Auth-Token`, or undefined when none is sent. A token is kept until {@link TokenSource.forget}.
   *
   * Rejects when there is none to be had; the delivery is then tried again like one without an answer.
   */
  token(options: { signal: AbortSignal }): Promise<string | undefined>
  /** The API refused the last token: fetch another next time. */
  forget(): void
}

/** For an API that asks nobody (`auth_type = none`). */
export const noAuthentication: TokenSource = {
  token: async () => undefined,
  forget: () => undefined,
}

/** For a token that was handed out by other means (`auth_type = token`). */
export function staticToken(token: string): TokenSource {
  return { token: async () => token, forget: () => undefined }
}
