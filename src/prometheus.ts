/**
 * Metrics for Prometheus.
 *
 * @module herdlock/prometheus
 */
export { collect, type CollectOptions } from './prometheus/collect.ts'
