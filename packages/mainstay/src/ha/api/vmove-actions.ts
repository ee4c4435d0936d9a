import { BadRequestError, NotFoundError } from '../../http/errors.ts'
import type { Queries } from '../../store/index.ts'
import type { Notification } from '../records/notification.ts'
import { vmoveFromValues } from '../records/vmove.ts'
import { isUuidLike } from '../rules/text.ts'
import { listRecords, type Filter } from '../store/list-records.ts'
import { findVmove } from '../store/vmoves.ts'
import type { Action } from './action.ts'
import { filterValue, readLimit, readPage } from './list-query.ts'
import { requireNotification } from './notification-actions.ts'
import { vmoveView } from './views.ts'

/** Moves of guests. Source: ha-api.md 9. */
export const vmoveActions: Readonly<Record<'index' | 'show', Action>> = {
  index: {
    policy: 'os_masakari_api:vmoves:index',
    successStatus: 200,
    run: async ({ store, options }, call) => {
      const limit = readLimit(call.query, options.maxLimit)
      const { uuid } = await requireHostNotification(store.read, call.id('notifications'))
      const filters: Filter[] = [{ column: 'notification_uuid', operator: '=', value: uuid }]
      for (const column of ['status', 'type']) {
        const value = filterValue(call.query, column)
        if (value !== null) filters.push({ column, operator: '=', value })
      }
      if (limit === 0) return { vmoves: [] }
      const rows = await listRecords(store, 'vmoves', filters, readPage(call.query, limit))
      return { vmoves: rows.map((values) => vmoveView(vmoveFromValues(values))) }
    },
  },
  show: {
    policy: 'os_masakari_api:vmoves:detail',
    successStatus: 200,
    run: async ({ store }, call) => {
      const notification = await requireHostNotification(store.read, call.id('notifications'))
      const id = call.id('vmoves')
      const vmove = isUuidLike(id) ? await findVmove(store.read, id) : undefined
      if (vmove === undefined || vmove.notificationUuid !== notification.uuid) {
        throw new NotFoundError(`No VM move with id ${id} of notification ${notification.uuid}.`)
      }
      return { vmove: vmoveView(vmove) }
    },
  },
}

/** @throws NotFoundError, BadRequestError when the notification is not about a host */
async function requireHostNotification(queries: Queries, uuid: string): Promise<Notification> {
  const notification = await requireNotification(queries, uuid)
  if (notification.type !== 'COMPUTE_HOST') {
    throw new BadRequestError(
      `Notification ${uuid} is of type ${notification.type}; only notifications of type COMPUTE_HOST have VM moves.`,
    )
  }
  return notification
}
