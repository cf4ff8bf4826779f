-- SPDX-License-Identifier: Apache-2.0
--
-- A wrk script: calls by one method, and prints what came of it as one line of JSON.
--
-- usage: wrk ... -s call.lua URL -- METHOD [BODY [COUNT]]
--
-- With COUNT the path's "%d" is each of 0 .. COUNT-1 in turn; the requests are written before the clock starts.

function init(args)
  wrk.method = args[1]
  wrk.body = args[2]
  if wrk.body then wrk.headers["Content-Type"] = "application/json" end
  local count = tonumber(args[3])
  if count then
    local requests, next_one = {}, 0
    for i = 0, count - 1 do
      requests[i] = wrk.format(nil, (wrk.path:gsub("%%d", tostring(i))))
    end
    request = function()
      next_one = (next_one + 1) % count
      return requests[next_one]
    end
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"p50_us":%d,"p99_us":%d,"max_us":%d,"refused":%d,"broken":%d,"late":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), latency.max,
    e.status, e.connect + e.read + e.write, e.timeout))
end
