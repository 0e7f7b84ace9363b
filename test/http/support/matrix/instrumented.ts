import type { IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'

import { context, SpanKind } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { BasicTracerProvider, type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace-base'
import { onTestFinished } from 'vitest'

/** One for the whole process, since its patches are of the whole process. On only while a test asks for it. */
let shared: HttpInstrumentation | undefined

/**
 * Patches node:http for one test.
 *
 * @param concerns the requests that get a span
 * @param onSpan is told of each span of a server when it ends
 */
export function instrumentHttp(concerns: (req: IncomingMessage) => boolean, onSpan: (line: string) => void): void {
  shared ??= new HttpInstrumentation({ enabled: false })
  const instrumentation = shared
  instrumentation.setConfig({ enabled: false, ignoreIncomingRequestHook: (req) => !concerns(req) })
  instrumentation.setTracerProvider(new BasicTracerProvider({ spanProcessors: [new ServerSpans(onSpan)] }))
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  instrumentation.enable()
  // It patches a module when somebody requires it.
  createRequire(import.meta.url)('node:http')
  onTestFinished(() => {
    instrumentation.disable()
    context.disable()
  })
}

class ServerSpans implements SpanProcessor {
  readonly #onSpan: (line: string) => void

  constructor(onSpan: (line: string) => void) {
    this.#onSpan = onSpan
  }

  onStart(): void {}

  onEnd({ kind, name, attributes }: ReadableSpan): void {
    if (kind === SpanKind.SERVER) this.#onSpan(`${name} ${String(attributes['http.response.status_code'])}`)
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}
