/**
 * Spans and metrics for OpenTelemetry.
 *
 * @module herdlock/opentelemetry
 */
export { instrument, type InstrumentOptions } from './opentelemetry/instrument.ts'
