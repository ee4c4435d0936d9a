import type { SpoolDirectory, SpoolFile } from './spool-directory.ts'

interface MemoryFile {
  text: string
  /** How much of it a power cut leaves. */
  synced: number
}

/** A disk that exists only in memory: it can be full, and it can lose its power. For tests and the simulation. */
export class MemorySpoolDirectory implements SpoolDirectory {
  readonly path = 'memory'
  readonly #files: Map<string, MemoryFile>
  #failing: { code: string; written: number } | undefined

  constructor(files: ReadonlyMap<string, string> = new Map()) {
    this.#files = new Map([...files].map(([name, text]) => [name, { text, synced: text.length }]))
  }

  /**
   * From now on every change fails with this system error; of a text only the share `written` arrives. A disk on which
   * some of it arrives lets files be made still, as one does that has just filled up.
   */
  fail(code: string, { written = 0 }: { written?: number } = {}): void {
    this.#failing = { code, written }
  }

  heal(): void {
    this.#failing = undefined
  }

  /**
   * The directory as the next boot finds it: what was synced, and of the rest as much as `kept` says.
   *
   * @param kept for the number of characters at risk, how many of them are there
   */
  afterPowerCut(kept: (atRisk: number) => number): MemorySpoolDirectory {
    const files = [...this.#files].map(([name, { text, synced }]) => {
      return [name, text.slice(0, synced + kept(text.length - synced))] as const
    })
    return new MemorySpoolDirectory(new Map(files))
  }

  async list(): Promise<string[]> {
    return [...this.#files.keys()]
  }

  async read(name: string): Promise<string> {
    const file = this.#files.get(name)
    if (file === undefined) throw systemError('ENOENT', name)
    return file.text
  }

  async append(name: string): Promise<SpoolFile> {
    if (this.#failing?.written === 0) this.#check(name)
    const file = this.#files.get(name) ?? { text: '', synced: 0 }
    this.#files.set(name, file)
    return {
      write: async (text) => {
        if (this.#failing !== undefined) file.text += text.slice(0, Math.floor(text.length * this.#failing.written))
        this.#check(name)
        file.text += text
      },
      sync: async () => {
        this.#check(name)
        file.synced = file.text.length
      },
      close: async () => undefined,
    }
  }

  async rename(from: string, to: string): Promise<void> {
    this.#check(from)
    const file = this.#files.get(from)
    if (file === undefined) throw systemError('ENOENT', from)
    this.#files.delete(from)
    this.#files.set(to, file)
  }

  async remove(name: string): Promise<void> {
    this.#check(name)
    this.#files.delete(name)
  }

  async close(): Promise<void> {
    this.#failing = undefined
  }

  #check(name: string): void {
    if (this.#failing !== undefined) throw systemError(this.#failing.code, name)
  }
}

function systemError(code: string, name: string): Error {
  return Object.assign(new Error(`${code}: ${name}`), { code })
}
