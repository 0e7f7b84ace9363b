const root = require('herdlock')
const lock = require('herdlock/lock')
const express = require('herdlock/express')

console.log(
  JSON.stringify({
    root: Object.keys(root),
    lock: Object.keys(lock),
    express: Object.keys(express),
    same: root.Locker === lock.Locker,
  }),
)
