import type { Look } from './due.ts'

/** Above so many subjects it is cheaper to look at all that is due. */
const MAX_SUBJECTS = 64

/** Where to look for work next: of everything that was asked for, the narrowest look that sees all of it. */
export class Looks {
  #wide: 'everywhere' | 'waking' | undefined
  readonly #subjects = new Set<string>()

  /** Asks for a look. */
  want(look: Look): void {
    if (look === 'everywhere') this.#wide = look
    else if (look === 'waking') this.#wide ??= look
    else for (const subject of look) this.#subjects.add(subject)
  }

  /** @returns where to look now, which nobody asks for any more; undefined when nobody did */
  take(): Look | undefined {
    const subjects = [...this.#subjects]
    const look = this.#wide ?? (subjects.length > MAX_SUBJECTS ? 'waking' : subjects)
    this.#wide = undefined
    this.#subjects.clear()
    return look.length === 0 ? undefined : look
  }
}
