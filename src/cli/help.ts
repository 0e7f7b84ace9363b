/** What `herdlock --help` prints. */
export const HELP = `herdlock: look at the Redis behind a cache or a lock, and find a ttl

  herdlock doctor  <url>…   check whether Redis is suitable for herdlock, and say what to change
  herdlock inspect <url>…   list the leases and entries that are in Redis now
  herdlock tune    <file>   replay an access log with and without herdlock, and find a good ttl

A URL has the form redis://[user:password@]host[:port][/db], or rediss:// for TLS. For a Cluster, name any node.
Without a URL, REDIS_URL of the environment is used, which keeps a password out of the list of processes.

doctor and inspect:
  --prefix NAME    prefix of the cache                                  (default: herdlock)
  --timeout MS     give up a Redis that does not answer within this time (default: 2000)
  --json           print JSON; also with tune
doctor:
  --strict         count warnings as failures
  --processes N    how many processes will connect: checks maxclients
  --command-timeout MS  that of your cache: checks latency                 (default: 1000)
inspect:
  --limit N        most leases and most entries to list                 (default: 100)
  --locks TEXT     list locks of Locker whose keys begin with TEXT, not only those that somebody waits for
tune:
  <file>           Common, Combined, JSON lines, or a capture of channels; .gz; - for standard input
  --ttl LIST       ms, separated by commas               (default: 1000,5000,10000,30000,60000,300000)
  --stale LIST     ms of staleWhileRevalidate                                        (default: 0,60000)
  --processes LIST how many processes share the requests, without herdlock               (default: 1,4)
  --load MS        how long a load takes if the log does not say                         (default: 200)
  --key COLUMN     column of the key; also --time, --bytes, --duration         (default: usual columns)
  --plot FILE      write a picture (SVG)
Other options:
  -h, --help       print this
  -v, --version    print the version

Exit codes: 0 if nothing failed (there may be warnings), 1 if a check has failed or Redis has refused,
2 if the command line is invalid, or a client or a file is missing, 3 if a Redis could not be reached.
`
