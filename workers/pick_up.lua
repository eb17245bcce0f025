-- One round trip of a consumer: say that it lives, acknowledge what is over, take back what dead
-- workers had, fetch from the lanes of a queue. Keys are Dramatiq's own.
--
-- KEYS: namespace
-- ARGV: how long a worker may say nothing (ms), worker id, how many messages to fetch, how many
--       were fetched before, three lanes (urgent first), then pairs of lane and message id
-- Returns a lane's number, an id and its message for each.
local namespace = KEYS[1]
local silence, worker, room, turn = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local lanes = { ARGV[5], ARGV[6], ARGV[7] }
local heartbeats = namespace .. ":__heartbeats__"
-- Of all workers alike, however their own clocks go.
local time = redis.call("time")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function acks(of, lane)
    return namespace .. ":__acks__." .. of .. "." .. lane
end

redis.call("zadd", heartbeats, now, worker)

for i = 8, #ARGV, 2 do
    -- What another worker has by now is no longer ours to strike out.
    if redis.call("srem", acks(worker, ARGV[i]), ARGV[i + 1]) > 0 then
        redis.call("hdel", namespace .. ":" .. ARGV[i] .. ".msgs", ARGV[i + 1])
    end
end

for _, dead in ipairs(redis.call("zrangebyscore", heartbeats, 0, now - silence)) do
    for _, lane in ipairs(lanes) do
        for _, id in ipairs(redis.call("smembers", acks(dead, lane))) do
            if redis.call("hexists", namespace .. ":" .. lane .. ".msgs", id) > 0 then
                redis.call("rpush", namespace .. ":" .. lane, id)
            end
        end
        redis.call("del", acks(dead, lane))
    end
end
-- By then every queue's workers have looked. What nobody took back the relay recalls anyway.
redis.call("zremrangebyscore", heartbeats, 0, now - 3600000)

-- Of ten messages eight begin with the urgent lane, one with the ordinary and one with bulk, so
-- that no lane starves; an empty lane gives its turn to the next.
local order = { { 1, 2, 3 }, { 2, 1, 3 }, { 3, 1, 2 } }
local fetched = {}
for i = 1, room do
    local ahead = order[({ [4] = 2, [9] = 3 })[(turn + i - 1) % 10] or 1]
    local id, lane = nil, nil
    for _, number in ipairs(ahead) do
        lane = number
        id = redis.call("lpop", namespace .. ":" .. lanes[lane])
        if id then break end
    end
    if not id then break end
    local message = redis.call("hget", namespace .. ":" .. lanes[lane] .. ".msgs", id)
    if message then -- else it was offered twice, and is over
        redis.call("sadd", acks(worker, lanes[lane]), id)
        redis.call("expire", acks(worker, lanes[lane]), 86400)
        fetched[#fetched + 1] = lane
        fetched[#fetched + 1] = id
        fetched[#fetched + 1] = message
    end
end
return fetched
