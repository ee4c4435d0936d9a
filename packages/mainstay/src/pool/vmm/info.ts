import type { VmDescriptor } from './descriptor.ts'

export interface ReportedGroup {
  readonly group: number
  readonly name: string
  readonly archs: readonly string[]
  readonly vms: readonly VmDescriptor[]
}

const HEADINGS = ['VM name', 'IP', 'state', 'check fails', 'last check', 'bound to, uses', 'in use for']

/**
 * What is in the pool, as text for people: a heading and a grid for each group, the machines by name.
 *
 * @param now unix seconds
 *
 * Source: vm-pool.md A5.5.
 */
export function poolReport(groups: readonly ReportedGroup[], now: number): string {
  return groups.map((group) => groupReport(group, now)).join('\n\n')
}

function groupReport({ group, name, archs, vms }: ReportedGroup, now: number): string {
  const heading = `VM group #${group} ${name} archs: ${archs.join(', ')}`
  const rows = vms.toSorted((a, b) => (a.vmName < b.vmName ? -1 : 1)).map((vm) => rowOf(vm, now))
  return [heading, '='.repeat(heading.length), ...grid([HEADINGS, ...rows])].join('\n')
}

function rowOf(vm: VmDescriptor, now: number): string[] {
  const { boundToUser, sandbox, buildsCount, lastHealthCheck } = vm
  const bound = boundToUser === null ? '' : `${boundToUser}/${sandbox ?? ''}, ${buildsCount ?? 0}`
  return [vm.vmName, vm.vmIp, vm.state, String(vm.checkFails ?? 0), age(lastHealthCheck, now), bound, useOf(vm, now)]
}

function useOf(vm: VmDescriptor, now: number): string {
  if (vm.state !== 'in_use') return ''
  const parts: [string, string | null][] = [
    ['build', vm.buildId],
    ['task', vm.taskId],
    ['chroot', vm.chroot],
    ['worker', vm.usedByWorker],
    ['since', age(vm.inUseSince, now)],
  ]
  return parts.flatMap(([name, value]) => (value === null ? [] : [`${name} ${value}`])).join(' ')
}

function age(time: number | null, now: number): string {
  return time === null ? 'never' : `${Math.round(now - time)} s ago`
}

/** Columns as wide as their widest cell. */
function grid(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
