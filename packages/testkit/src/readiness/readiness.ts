import type { Method } from '../spec.ts'

/** How long and how often is asked. Defaults: the start's timeout, 50 ms. */
export interface ProbeTiming {
  readonly timeoutMs?: number
  readonly intervalMs?: number
}

/** What a condition may look at. */
export interface ReadyTarget {
  readonly name: string
  readonly url: string
  readonly ports: Readonly<Record<string, number>>
  readonly pid: number | undefined
}

/** When a server counts as ready. Source: testkit.md A7. */
export type Readiness = ProbeTiming &
  (
    | {
        /** A path below the first listener, or a whole URL. */
        readonly http: string
        /** Default: 200–399, 401, 403. */
        readonly status?: number | readonly number[] | ((status: number) => boolean)
        readonly body?: RegExp | ((body: string) => boolean)
        readonly headers?: Readonly<Record<string, string>>
      }
    /** A complete line of this start; `stream` is stdout, stderr or a log's name; default: any. */
    | { readonly log: RegExp; readonly stream?: string; readonly times?: number }
    /** The listener of that name accepts, and belongs to this server. */
    | { readonly port: string }
    | { readonly unix: string }
    | { readonly file: string }
    | { readonly exec: readonly string[]; readonly code?: number; readonly env?: Readonly<Record<string, string>> }
    /** A statement that the server (being a database) or the server's database answers. */
    | { readonly sql: string }
    | { readonly fn: Method<[server: ReadyTarget], Promise<boolean | void>> }
    /** `READY=1` on NOTIFY_SOCKET, or the line `{"mainstay":"ready"}` on stdout. */
    | { readonly notify: true }
    | { readonly all: readonly Readiness[] }
    | { readonly any: readonly Readiness[] }
  )

/** Whether a notification is (part of) the condition. */
export function awaitsNotification(readiness: Readiness): boolean {
  if ('notify' in readiness) return true
  if ('all' in readiness) return readiness.all.some(awaitsNotification)
  return 'any' in readiness && readiness.any.some(awaitsNotification)
}
