import { randomUUID } from 'node:crypto'

export interface TinyDomainOptions {
  readonly name?: string
  readonly uuid?: string
  readonly memoryMiB?: number
  /** More elements inside `<devices>`. */
  readonly devices?: string
  /** More elements beside `<devices>`, e.g. `<metadata>`. */
  readonly extra?: string
  readonly onCrash?: 'destroy' | 'restart' | 'preserve'
  /** Model and action of the watchdog; default i6300esb, poweroff. */
  readonly watchdog?: { readonly model: 'i6300esb' | 'ib700'; readonly action: string }
}

/**
 * The smallest guest that goes through all lifecycle events: emulated processor, 32 MiB, no disk, an agent channel that
 * nobody answers, a watchdog. It starts in about half a second. Source: monitors.md 13.1.
 */
export function tinyDomainXml(options: TinyDomainOptions = {}): string {
  const { name = 'instance-00000001', uuid = randomUUID(), memoryMiB = 32, devices = '', extra = '' } = options
  const { onCrash = 'destroy', watchdog = { model: 'i6300esb', action: 'poweroff' } } = options
  return `<domain type='qemu'>
  <name>${name}</name><uuid>${uuid}</uuid>
  <memory unit='MiB'>${memoryMiB}</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>${onCrash}</on_crash>
  <features><acpi/></features>
  ${extra}
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <watchdog model='${watchdog.model}' action='${watchdog.action}'/>
    <memballoon model='none'/>
    <video><model type='none'/></video>
    ${devices}
  </devices>
</domain>`
}
