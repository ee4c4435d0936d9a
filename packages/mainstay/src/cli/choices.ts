/**
 * What the command line offers of what the server and the client know too. They are loaded only by the commands that run,
 * so the words are said once more here; a test compares them.
 */
export const SERVER_ROLES = ['api', 'engine', 'pool', 'events'] as const
export const RECOVERY_STATUSES = ['pending', 'running', 'waiting', 'held', 'completed', 'failed', 'cancelled'] as const
export const COMPUTE_DRIVERS = ['simulated', 'libvirt'] as const
