/**
 * Guests in 512 bytes: each does one thing as soon as the BIOS has loaded it, then halts. So a test can have the guest
 * itself cause an event, a second after its start, without a kernel.
 */
const programs = {
  /** Writes "soft off" to the power management port of the machine type "pc": the guest switches itself off. */
  'power-off': 'ba0406 b80020 ef', // mov dx,0604h; mov ax,2000h; out dx,ax
  /** Pulses the reset line through the keyboard controller; the BIOS then starts it again, and so on. */
  reset: 'b0fe e664', // mov al,FEh; out 64h,al
  /** Tells the pvpanic device that the kernel has panicked; needs `<panic model='isa'/>`. */
  panic: 'ba0505 b001 ee', // mov dx,0505h; mov al,1; out dx,al
  /** Arms the ib700 watchdog with no time left; needs `<watchdog model='ib700'/>`. */
  'fire-watchdog': 'ba4304 b00f ee', // mov dx,0443h; mov al,0Fh; out dx,al
  /** Sets the clock to noon through the BIOS. */
  'set-clock': 'b403 b90012 31d2 cd1a', // mov ah,3; mov cx,1200h; xor dx,dx; int 1Ah
  /** Writes its second sector: xor bx,bx; mov es,bx; mov bx,7C00h; mov ax,0301h; mov cx,2; mov dx,80h; int 13h. */
  'write-disk': '31db 8ec3 bb007c b80103 b90200 ba8000 cd13',
} as const

export type GuestDeed = keyof typeof programs

/** Interrupts on, halt, again: a guest that does nothing takes no processor time. */
const idle = 'fb f4 ebfd' // sti; hlt; jmp -3

const DISK_BYTES = 64 * 1024

/** The image of a small disk whose boot sector does one deed. */
export function bootDisk(deed: GuestDeed): Buffer {
  const disk = Buffer.alloc(DISK_BYTES)
  disk.set(Buffer.from(`${programs[deed]} ${idle}`.replaceAll(' ', ''), 'hex'), 0)
  disk.set([0x55, 0xaa], 510)
  return disk
}

/** The disk for `<devices>`. */
export function bootDiskXml(path: string): string {
  return `<disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='${path}'/><target dev='hda' bus='ide'/>
    </disk>`
}
