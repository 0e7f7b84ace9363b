const root = require('herdlock')
const lock = require('herdlock/lock')
const express = require('herdlock/express')
const opentelemetry = require('herdlock/opentelemetry')
const prometheus = require('herdlock/prometheus')

console.log(
  JSON.stringify({
    root: Object.keys(root),
    lock: Object.keys(lock),
    express: Object.keys(express),
    opentelemetry: Object.keys(opentelemetry),
    prometheus: Object.keys(prometheus),
    same: root.Locker === lock.Locker,
  }),
)
