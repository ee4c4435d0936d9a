import { InvalidInputError } from '../core/errors.ts'

/** What an operator may change of the HA API. Source: ha-api.md 21; the names there are given in brackets. */
export interface HaOptions {
  /** The most records that one list answers [osapi_max_limit]. */
  readonly maxLimit: number
  /** Replaces scheme and host of links [osapi_masakari_link_prefix]. */
  readonly linkPrefix: string | null
  /**
   * The longest random wait before a notification is stored [notification_delay_max]. Not needed here, where equal
   * reports are told apart by a lock, so 0.
   */
  readonly notificationDelayMaxMs: number
  /** How long the same report counts as the same [duplicate_notification_detection_interval]. */
  readonly duplicateIntervalMs: number
  /** The longest body [max_request_body_size]. */
  readonly maxBodyBytes: number
  /** What a project id in the path looks like [project_id_regex]; null for the default. */
  readonly projectIdPattern: string | null
  /** `/healthcheck` answers 503 while this file exists [disable_by_file_path]. */
  readonly healthcheckDisableFile: string
  /** Whether `X-Forwarded-*` is believed for links [enable_proxy_headers_parsing]. */
  readonly believeForwarded: boolean
  /** Whether `X-Forwarded-For` is believed for the caller's address [use_forwarded_for]. */
  readonly useForwardedFor: boolean
  /** The longest that the compute platform may take to say whether a host exists. */
  readonly computeCheckTimeoutMs: number
  /** Origins that a browser may call from [cors.allowed_origin]. */
  readonly corsOrigins: readonly string[]
}

export const defaultHaOptions: HaOptions = {
  maxLimit: 1000,
  linkPrefix: null,
  notificationDelayMaxMs: 0,
  duplicateIntervalMs: 180_000,
  maxBodyBytes: 114_688,
  projectIdPattern: null,
  healthcheckDisableFile: '/etc/masakari/healthcheck_disable',
  believeForwarded: false,
  useForwardedFor: false,
  computeCheckTimeoutMs: 30_000,
  corsOrigins: [],
}

const DEFAULT_PROJECT_ID = '[0-9a-f-]+'

/**
 * The pattern of project ids in paths, as a whole.
 *
 * @throws InvalidInputError when the option is no regular expression
 */
export function projectIdPattern({ projectIdPattern: source }: HaOptions): RegExp {
  try {
    return new RegExp(`^(?:${source ?? DEFAULT_PROJECT_ID})$`)
  } catch (error) {
    throw new InvalidInputError(
      `The option project_id_regex (${source}) is not a regular expression. Correct it or leave it out.`,
      { cause: error },
    )
  }
}
