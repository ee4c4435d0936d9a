/** Where the token of a call comes from. */
export interface TokenSource {
  /**
   * Gives a token.
   *
   * @param refused the token that the server has just refused, or undefined for a first one
   * @returns the same token when no other is to be had
   */
  token(options: { refused: string | undefined; signal: AbortSignal | undefined }): Promise<string>
}

/** A token that somebody else has fetched and that is never replaced. */
export function fixedToken(token: string): TokenSource {
  return { token: async () => token }
}
