import { componentSpec, type ComponentName, type ConfigFile, type ServerSpec } from '@mainstay/testkit'

/** A real OpenStack service that sends notifications to a broker as it does in production. */
export function withNotifications(name: ComponentName, transportUrl: string): ServerSpec {
  const spec = componentSpec(name)
  const notifications = { driver: 'messagingv2', transport_url: transportUrl }
  const files = (spec.files ?? []).map((file): ConfigFile => {
    const { content } = file
    if (!file.name.endsWith('.conf') || typeof content !== 'function') return file
    return { ...file, content: (context) => addSection(content(context), notifications) }
  })
  return { ...spec, files }
}

function addSection(config: unknown, notifications: object): object {
  return { ...(config as object), oslo_messaging_notifications: notifications }
}
