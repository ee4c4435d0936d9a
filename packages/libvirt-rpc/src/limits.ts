/**
 * Upper bounds that libvirt's own protocol definition sets (libvirt 9.0). Nothing longer is sent or accepted, so that a
 * damaged or hostile stream cannot make this process allocate without end.
 */
export const Limit = {
  /** Bytes of one message, its own length word included: 32 MiB and 4. */
  MESSAGE_BYTES: 33_554_432 + 4,
  /** Bytes of one string, XML included: 4 MiB. */
  STRING_BYTES: 4_194_304,
  DOMAINS: 16_384,
  VOLUMES: 16_384,
  INTERFACES: 2_048,
  INTERFACE_ADDRESSES: 2_048,
  STATS_PARAMETERS: 262_144,
  TUNABLE_PARAMETERS: 2_048,
  JOB_PARAMETERS: 64,
  NODE_CPU_STATS: 16,
  GRAPHICS_IDENTITIES: 20,
  AUTH_TYPES: 20,
} as const
