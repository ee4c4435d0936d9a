/** The few things that the spool asks of a disk, so that a test can let it fail and tear at any point. */
export interface SpoolDirectory {
  /** For messages. */
  readonly path: string
  /** Names of the files in it. Makes the directory when there is none. */
  list(): Promise<string[]>
  read(name: string): Promise<string>
  /** Opens for appending; a file that is there stays as it is. */
  append(name: string): Promise<SpoolFile>
  /** Gives a file its final name; the change survives a power cut once this resolves. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file that may be gone already. */
  remove(name: string): Promise<void>
  /** Lets another process have the directory. */
  close(): Promise<void>
}

export interface SpoolFile {
  /** Writes at the end. A failure may leave a part of the text behind. */
  write(text: string): Promise<void>
  /** All that was written survives a power cut once this resolves. */
  sync(): Promise<void>
  close(): Promise<void>
}
