import type { LoopTask, StartLoop } from '../loop-task.ts'

/** A loop that was started and is not run: a test says when it has ended. */
export class FakeLoop implements LoopTask {
  readonly name: string
  ended = false
  readonly waits: number[] = []

  constructor(name: string) {
    this.name = name
  }

  async wait({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    this.waits.push(timeoutMs)
  }
}

/** Starts nothing and remembers what it should have started. */
export class FakeLoops {
  readonly started: FakeLoop[] = []

  readonly start: StartLoop = (name) => {
    const loop = new FakeLoop(name)
    this.started.push(loop)
    return loop
  }

  names(): string[] {
    return this.started.map(({ name }) => name)
  }
}
