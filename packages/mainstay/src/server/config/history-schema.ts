import { Type } from 'typebox'

import { DEFAULT_HISTORY_LIMITS as LIMITS } from '../../events/history/read-history.ts'
import { closed, count } from './option-kinds.ts'

/** Questions for events of the past. */
export const HistorySection = Type.Object(
  {
    page_events: count('Events that are read from the log in one go.', LIMITS.pageEvents, 1),
    scan_events: count('Events that one request looks at; a filter may let few of them pass.', LIMITS.scanEvents, 1),
    answer_length: count(
      'The text of one answer, in characters; an answer is ended after it.',
      LIMITS.answerLength,
      1024,
    ),
  },
  { ...closed, default: {} },
)
