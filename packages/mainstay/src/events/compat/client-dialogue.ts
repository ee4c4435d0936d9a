import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import { InvalidFilterError } from '../filter/index.ts'
import { CLOSE } from '../hub/control-frame.ts'
import {
  errorReply,
  filterUpdateReply,
  readClientMessage,
  type ClientErrorCode,
  type ClientReply,
  type FilterLists,
} from './client-message.ts'
import type { FilterChanges } from './filter-lists.ts'

/** What is said to a client, whatever carries it. */
export interface Dialogue {
  /** @throws InvalidFilterError; the filters are then as they were */
  updateFilters(changes: FilterChanges): void
  /** Answers this client alone, in order with its events. */
  reply(reply: ClientReply): Promise<void> | void
  close(code: number, reason: string): void
  readonly logger: Logger
  /** Tells the client of messages that the reference silently ignores. */
  readonly tellErrors: boolean
}

/** What came from a client: text, or null for a binary frame. */
export type Inbound = string | null

/**
 * Does what a client of the compatible endpoint says. Nothing a client says ends its stream, but for a binary frame.
 *
 * Source: event-stream.md section 6.
 */
export async function hearClient(dialogue: Dialogue, inbound: Inbound): Promise<void> {
  const { logger } = dialogue
  if (inbound === null) {
    dialogue.close(CLOSE.UNSUPPORTED_DATA, 'binary frames are not understood')
    return
  }
  const message = readClientMessage(inbound)
  if (message.kind === 'unusable') {
    logger.warn({ code: message.code }, `A client of the event stream was not understood: ${message.detail}`)
    if (dialogue.tellErrors) await dialogue.reply(errorReply(message.code, message.detail))
    return
  }
  await setFilters(dialogue, message.lists)
}

async function setFilters(dialogue: Dialogue, lists: FilterLists): Promise<void> {
  try {
    dialogue.updateFilters({
      eventFilters: lists.event_filters,
      nodeFilters: lists.node_filters,
      serviceFilters: lists.service_filters,
    })
  } catch (error) {
    await refuse(dialogue, error)
    return
  }
  await dialogue.reply(filterUpdateReply(lists))
}

/** A filter that is none is always answered, because its sender would wait for events that never come. */
async function refuse(dialogue: Dialogue, error: unknown): Promise<void> {
  const { logger } = dialogue
  const invalid = error instanceof InvalidFilterError
  const code: ClientErrorCode = invalid ? 'bad_filter' : 'failed'
  if (invalid) logger.warn({ code }, `A client's filters were refused: ${errorMessage(error)}`)
  else logger.error({ err: error }, `Error handling a message of a client: ${errorMessage(error)}`)
  if (invalid || dialogue.tellErrors) {
    await dialogue.reply(errorReply(code, invalid ? errorMessage(error) : 'the filters could not be changed'))
  }
}
