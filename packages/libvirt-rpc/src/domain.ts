/**
 * What names a domain in a call. The server looks it up by UUID; the name is for its messages. `id` may be left out.
 */
export interface DomainRef {
  readonly name: string
  /** Lower case, with hyphens; upper case is accepted in arguments. */
  readonly uuid: string
  readonly id?: number
}

/** A domain as the server names it in a reply or an event. */
export interface Domain extends DomainRef {
  /** libvirt's number of the running instance, -1 when it is not running. */
  readonly id: number
}
