import { writeDomain } from './domain-codec.ts'
import { procedures } from './procedures.ts'
import { AgentTimeout } from './qemu-calls.ts'
import type { QemuCalls } from './qemu-calls.ts'
import type { Call } from './rpc-channel.ts'

/** `QemuCalls` over a channel. */
export function qemuCalls(call: Call): QemuCalls {
  return {
    agentCommand: (domain, command, options) =>
      call(
        procedures.agentCommand,
        options,
        (writer) => {
          writeDomain(writer, domain)
          writer
            .string(command)
            .i32(options?.agentTimeoutS ?? AgentTimeout.DEFAULT)
            .u32(options?.flags ?? 0)
        },
        (reader) => reader.optional((inner) => inner.string()),
      ),

    monitorCommand: (domain, command, options) =>
      call(
        procedures.monitorCommand,
        options,
        (writer) => {
          writeDomain(writer, domain)
          writer.string(command).u32(0)
        },
        (reader) => reader.string(),
      ),
  }
}
