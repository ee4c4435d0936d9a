/**
 * libvirt's named figures (`virTypedParameter`): integers of 32 bits, floating point and booleans come as such, integers
 * of 64 bits as bigint, so that no byte counter is rounded.
 */
export type TypedParameterValue = number | bigint | boolean | string

export type TypedParameters = ReadonlyMap<string, TypedParameterValue>
