const root = require('herdlock')
const lock = require('herdlock/lock')
const express = require('herdlock/express')
const cacheManager = require('herdlock/cache-manager')
const redlock = require('herdlock/redlock')
const fetchEdge = require('herdlock/fetch')
const hono = require('herdlock/hono')
const koa = require('herdlock/koa')
const fastify = require('herdlock/fastify')
const nestjs = require('herdlock/nestjs')
const next = require('herdlock/next')
const opentelemetry = require('herdlock/opentelemetry')
const prometheus = require('herdlock/prometheus')
const dashboard = require('herdlock/dashboard')
const testing = require('herdlock/testing')

console.log(
  JSON.stringify({
    root: Object.keys(root),
    lock: Object.keys(lock),
    express: Object.keys(express),
    cacheManager: Object.keys(cacheManager),
    redlock: Object.keys(redlock),
    fetch: Object.keys(fetchEdge),
    hono: Object.keys(hono),
    koa: Object.keys(koa),
    fastify: Object.keys(fastify),
    nestjs: Object.keys(nestjs),
    next: Object.keys(next),
    opentelemetry: Object.keys(opentelemetry),
    prometheus: Object.keys(prometheus),
    dashboard: Object.keys(dashboard),
    testing: Object.keys(testing),
    same: root.Locker === lock.Locker,
  }),
)
