import { buildRouteMap } from '@stricli/core'

import type { CliContext } from '../context.ts'
import { poolAcquire } from './acquire.ts'
import { poolAdopt } from './adopt.ts'
import { poolAdoptReference } from './adopt-reference.ts'
import { poolDelete, poolRecheck } from './delete.ts'
import { poolDrain, poolUndrain } from './drain.ts'
import { poolHold, poolUnhold } from './hold.ts'
import { poolList } from './list.ts'
import { poolExplain, poolPlan, poolStats, poolWatch } from './look.ts'
import { poolEnable, poolProviders } from './providers.ts'
import { poolReconcile, poolReload } from './reconcile.ts'
import { poolHeartbeat, poolRelease } from './release.ts'
import { poolCancel, poolReorder, poolRequests } from './requests.ts'
import { poolShow } from './show.ts'

/** `mainstay pool …`. */
export const poolRoutes = buildRouteMap<string, CliContext>({
  docs: { brief: 'Machines that are kept ready: take one, give it back, look after them' },
  routes: {
    list: poolList,
    show: poolShow,
    acquire: poolAcquire,
    heartbeat: poolHeartbeat,
    release: poolRelease,
    hold: poolHold,
    unhold: poolUnhold,
    drain: poolDrain,
    undrain: poolUndrain,
    delete: poolDelete,
    adopt: poolAdopt,
    'adopt-reference': poolAdoptReference,
    recheck: poolRecheck,
    requests: poolRequests,
    cancel: poolCancel,
    reorder: poolReorder,
    providers: poolProviders,
    enable: poolEnable,
    plan: poolPlan,
    explain: poolExplain,
    stats: poolStats,
    watch: poolWatch,
    reconcile: poolReconcile,
    reload: poolReload,
  },
})
