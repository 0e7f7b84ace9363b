const root = require('herdlock')
const lock = require('herdlock/lock')
const express = require('herdlock/express')
const dashboard = require('herdlock/dashboard')

console.log(
  JSON.stringify({
    root: Object.keys(root),
    lock: Object.keys(lock),
    express: Object.keys(express),
    dashboard: Object.keys(dashboard),
    same: root.Locker === lock.Locker,
  }),
)
