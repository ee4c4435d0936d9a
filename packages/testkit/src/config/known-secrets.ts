import { maskOutput, maskSecrets, secretsIn } from './mask.ts'

/**
 * Every secret that the servers of a cluster were ever given. Nothing is forgotten: a server may have logged the token of
 * an earlier start, and another server may log it too.
 */
export class KnownSecrets {
  readonly #secrets = new Set<string>()

  /** Takes note of what stands under secret names in a configuration or an environment. */
  learn(dictionary: object): void {
    for (const secret of secretsIn(dictionary)) this.#secrets.add(secret)
  }

  /** What a program said, without the secrets. */
  hide(text: string): string {
    return maskOutput(text, this.#secrets)
  }

  /** A configuration file, without the secrets. */
  hideInFile(text: string): string {
    return maskSecrets(text, this.#secrets)
  }
}
