import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { onTestFinished } from 'vitest'

/** The messages of a plain channel, from now on until the present test ends. */
export function watchChannel<M>(name: string): M[] {
  const messages: M[] = []
  const note = (message: unknown): void => void messages.push(message as M)
  subscribe(name, note)
  onTestFinished(() => void unsubscribe(name, note))
  return messages
}

/** The operations of a tracing channel that have ended, in that order, from now on until the present test ends. */
export function watchTracing<M extends object>(name: string): M[] {
  const ended: M[] = []
  const subscribers = { asyncEnd: (message: unknown) => void ended.push(message as M) }
  const tracing = tracingChannel(name)
  tracing.subscribe(subscribers as never)
  onTestFinished(() => tracing.unsubscribe(subscribers as never))
  return ended
}
