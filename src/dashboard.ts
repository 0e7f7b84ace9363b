export { dashboard, type Dashboard } from './dashboard/dashboard.ts'
export type { DashboardOptions } from './dashboard/options.ts'
