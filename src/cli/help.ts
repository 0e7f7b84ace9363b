/** What `herdlock --help` prints. */
export const HELP = `herdlock: look at the Redis behind a cache or a lock, and find a ttl

  herdlock doctor  <url>…   check whether Redis is fit for herdlock, and say what to change
  herdlock inspect <url>…   list the leases and entries that stand in Redis now
  herdlock tune    <file>   replay an access log with and without herdlock, and say which ttl

A URL reads redis://[user:password@]host[:port][/db], or rediss:// for TLS. Any node stands for its Cluster.
Without one, REDIS_URL of the environment is taken, which keeps a password out of the list of processes.

doctor and inspect:
  --prefix NAME    prefix of the cache                                  (default: herdlock)
  --timeout MS     give up a Redis that does not answer for so long     (default: 2000)
  --json           print JSON; tune, too
doctor:
  --strict         let warnings fail, too
  --processes N    how many processes will connect: checks maxclients
  --command-timeout MS  that of your cache: checks latency                 (default: 1000)
inspect:
  --limit N        list so many leases and so many entries at most      (default: 100)
  --locks TEXT     list locks of Locker whose keys begin so, not only those that somebody waits for
tune:
  <file>           Common, Combined, JSON lines, or a capture of channels; .gz; - for standard input
  --ttl LIST       ms, with commas between               (default: 1000,5000,10000,30000,60000,300000)
  --stale LIST     ms of staleWhileRevalidate                                        (default: 0,60000)
  --processes LIST how many share the requests, without herdlock                         (default: 1,4)
  --load MS        what a load takes where the log does not say                          (default: 200)
  --key COLUMN     what is asked for, --time, --bytes, --duration likewise     (default: usual columns)
  --plot FILE      write a picture (SVG)
Else:
  -h, --help       print this
  -v, --version    print the version

It exits with 0 if all is well or there are warnings only, 1 if a check has failed or Redis has refused,
2 if the command line cannot be meant, or a client or a file is missing, 3 if a Redis could not be reached.
`
