import type { CallOptions } from './call-options.ts'
import type { HostCalls, NodeInfo } from './host-calls.ts'
import { Limit } from './limits.ts'
import { procedures } from './procedures.ts'
import type { Procedure } from './procedures.ts'
import type { Call } from './rpc-channel.ts'
import type { XdrReader } from './xdr-reader.ts'

const writeNothing = (): void => undefined

/** `HostCalls` over a channel. */
export function hostCalls(call: Call): HostCalls {
  const ask =
    <Result>(procedure: Procedure, read: (reader: XdrReader) => Result) =>
    (options?: CallOptions): Promise<Result> =>
      call(procedure, options, writeNothing, read)

  return {
    getHostname: ask(procedures.getHostname, (reader) => reader.string()),
    getLibVersion: ask(procedures.getLibVersion, (reader) => Number(reader.u64())),
    getVersion: ask(procedures.getVersion, (reader) => Number(reader.u64())),
    getUri: ask(procedures.getUri, (reader) => reader.string()),
    getCapabilities: ask(procedures.getCapabilities, (reader) => reader.string()),
    getNodeInfo: ask(procedures.getNodeInfo, readNodeInfo),
    getFreeMemoryBytes: ask(procedures.getFreeMemory, (reader) => reader.u64()),
    getNodeCpuStats: async (options) => {
      // The server insists on the very number of figures that it has, so it is asked for that first.
      const { count } = await cpuStats(call, 0, options)
      return (await cpuStats(call, count, options)).figures
    },
  }
}

const ALL_CPUS = -1

async function cpuStats(
  call: Call,
  wanted: number,
  options?: CallOptions,
): Promise<{ figures: Map<string, bigint>; count: number }> {
  return await call(
    procedures.getNodeCpuStats,
    options,
    (writer) => writer.i32(ALL_CPUS).i32(wanted).u32(0),
    (reader) => {
      const figures = reader.array(Limit.NODE_CPU_STATS, (each): [string, bigint] => [each.string(), each.u64()])
      return { figures: new Map(figures), count: reader.i32() }
    },
  )
}

function readNodeInfo(reader: XdrReader): NodeInfo {
  return {
    model: readModel(reader),
    memoryKiB: Number(reader.u64()),
    cpus: reader.i32(),
    mhz: reader.i32(),
    numaNodes: reader.i32(),
    socketsPerNode: reader.i32(),
    coresPerSocket: reader.i32(),
    threadsPerCore: reader.i32(),
  }
}

/** 32 characters, each in an XDR word of its own, ended by a zero. */
function readModel(reader: XdrReader): string {
  const codes = Array.from({ length: 32 }, () => reader.i32())
  const end = codes.indexOf(0)
  return String.fromCharCode(...codes.slice(0, end === -1 ? codes.length : end))
}
