import { endsSecret, maskOutput, maskSecrets, secretsIn } from './mask.ts'

/**
 * Every secret that the servers of a cluster were ever given. Nothing is forgotten: a server may have logged the token of
 * an earlier start, and another server may log it too.
 */
export class KnownSecrets {
  readonly #secrets = new Set<string>()

  /** Takes note of what stands under secret names in a configuration. */
  learn(dictionary: object): void {
    for (const secret of secretsIn(dictionary)) this.#secrets.add(secret)
  }

  /**
   * Takes note of the secrets of an environment. Its names are longer than those of a configuration, and most with such a
   * word in them say where something is (`KEYSTONE_HOST`, `PASSWORD_STORE_DIR`): only what such a word ends counts, and no path.
   */
  learnEnvironment(environment: Readonly<Record<string, string>>): void {
    const secret = Object.entries(environment).filter(([name, value]) => endsSecret(name) && !value.startsWith('/'))
    this.learn(Object.fromEntries(secret))
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
