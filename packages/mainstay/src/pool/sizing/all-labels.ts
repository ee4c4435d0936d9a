import { DEFAULT_LABEL_OPTIONS, type GroupRules, type LabelOptions } from '../options.ts'
import { carries } from './ledger.ts'

/**
 * The labels with their options, and for each group that none of them sizes its own name as a label without wishes: so
 * what requests left behind there goes away after the usual delay.
 */
export function allLabels(
  labels: readonly LabelOptions[],
  groups: readonly Pick<GroupRules, 'id' | 'labels'>[],
): LabelOptions[] {
  const own = groups.filter((group) => !labels.some(({ label }) => carries(group, label)))
  return [...labels, ...own.map(({ id }): LabelOptions => ({ ...DEFAULT_LABEL_OPTIONS, label: id }))]
}
