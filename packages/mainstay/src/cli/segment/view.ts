import type { Segment } from '../../client/index.ts'
import type { View } from '../output/view.ts'

export const segmentView: View<Segment> = {
  columns: {
    created_at: (segment) => segment.created_at,
    updated_at: (segment) => segment.updated_at,
    uuid: (segment) => segment.uuid,
    name: (segment) => segment.name,
    description: (segment) => segment.description,
    id: (segment) => segment.id,
    service_type: (segment) => segment.service_type,
    recovery_method: (segment) => segment.recovery_method,
    is_enabled: (segment) => segment.enabled,
  },
  listed: ['uuid', 'name', 'description', 'service_type', 'recovery_method', 'is_enabled'],
  shown: [
    'created_at',
    'updated_at',
    'uuid',
    'name',
    'description',
    'id',
    'service_type',
    'recovery_method',
    'is_enabled',
  ],
}
