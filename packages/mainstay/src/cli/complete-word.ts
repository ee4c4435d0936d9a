/** The first word of the call with which a shell asks what may follow; `complete.ts` answers it. */
export const COMPLETE = '__complete'
