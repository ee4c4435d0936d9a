import type { Clock } from '../../core/clock.ts'
import type { Publish } from '../../core/event.ts'
import type { Ids } from '../../core/ids.ts'
import type { Logger } from '../../core/logging.ts'
import type { Store } from '../../store/index.ts'
import type { LibvirtHostOptions } from './libvirt-host.ts'
import type { LibvirtSettings } from './settings.ts'

export interface LibvirtComputeOptions {
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** Keeps the inventory; migrated already. */
  readonly store: Store
  readonly hosts: readonly LibvirtHostOptions[]
  /** Where alarms go beside the log. */
  readonly publish?: Publish | undefined
  readonly settings?: Partial<LibvirtSettings>
}
