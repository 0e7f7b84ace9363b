/**
 * A page that shows caches at work.
 *
 * @module herdlock/dashboard
 */
export { dashboard, type Dashboard } from './dashboard/dashboard.ts'
export { joinFleet, type FleetMember, type FleetOptions } from './dashboard/fleet/join-fleet.ts'
export type { DashboardOptions } from './dashboard/options.ts'
