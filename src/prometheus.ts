export { collect, type CollectOptions } from './prometheus/collect.ts'
