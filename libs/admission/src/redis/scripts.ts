import type { RedisScript } from '@tokone/redis';

/**
 * The actions of admission, one Lua script each. A script sees the hash of one account, with its header
 *
 * - `e` the epoch in which it was opened, `p` `o` while it is being opened and `r` when it is ready, `t` the token of
 *   its opening, `b` when that began (ms);
 * - `seq`, `lim`, `held`, `settled`: the ledger's sequence, its balance, and the sums of the records (nano-USD);
 *
 * and one field per request, named by its id: `h|amount|flags|owner|lease` (flags: 1 extendable, 2 whole), `s|amount|at`,
 * or `v|until`, the tombstone of a request that was given up, so that a reserve which arrives later finds it. Where a
 * request counts in limits, its flags are followed by `@second@tokens`, and the script sees their keys too
 * (`limit-scripts.ts`): a part of the text that others do not have.
 *
 * One key, so that an account is there as a whole or lost as a whole. Amounts stay below 2^53, where doubles are exact.
 * Times are the server's. The epoch is the replication id of the server: a new one after each start and each failover,
 * so that a server which came back with older data knows none of its accounts. Whatever is not of this epoch and ready
 * is `cold`. A script is asked for by the hash of its text: a process of another version never runs this one's code. Its
 * name is for logs and errors alone.
 */
const PRELUDE = `
local key, id = KEYS[1], ARGV[1]
local epoch = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function write(number) return string.format('%.0f', number) end
local function positive(number) return number > 0 and number or 0 end
local function header(field)
  local found = redis.call('HMGET', key, 'e', 'p', 'lim', 'held', 'settled', field)
  local ready = found[1] == epoch and found[2] == 'r'
  return ready, tonumber(found[3]), tonumber(found[4]), tonumber(found[5]), found[6]
end
local function kind(record) return record and string.sub(record, 1, 1) end
local function amount(record) return tonumber(string.match(record, '^.|(%d+)')) end
local function keep() redis.call('PEXPIRE', key, 86400000) end
`;

/** A part that is put in, for requests that count in limits. */
type Part = string;

export function script(name: string, body: string): RedisScript {
  return { name: `tokone-admission-1-${name}`, lua: PRELUDE + body };
}

/** ARGV: id, owner, lease ms, input, worst, first step, mode. → cold | void | held amount flags | held_by_others / insufficient available needed. */
export function reserveLua({ refuse = '', mark = '', count = '' }: { refuse?: Part; mark?: Part; count?: Part } = {}): string {
  return `
local ready, lim, held, settled, record = header(id)
if not ready then return {'cold'} end
if kind(record) == 'v' then return {'void'} end
if record then
  return {'held', amount(record), tonumber(string.match(record, '^h|%d+|(%d)') or '0')}
end
local input, worst, first, mode = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local spendable = lim - settled
local available = spendable - held
local quarter = available >= 0 and math.floor(available / 4) or math.ceil(available / 4)
local hold, flags = worst, 2
if worst > quarter and mode ~= 'limit_stated' then
  local room = quarter - input
  hold = math.min(worst, input + math.max(room, first))
  if hold < worst then flags = mode == 'stream' and 1 or 0 end
end
if hold > spendable then return {'insufficient', positive(available), hold} end
if hold > available then return {'held_by_others', positive(available), hold} end
${refuse}local value = 'h|' .. write(hold) .. '|' .. flags .. ${mark}'|' .. ARGV[2] .. '|' .. write(now() + tonumber(ARGV[3]))
redis.call('HSET', key, 'held', write(held + hold), id, value)
${count}keep()
return {'held', hold, flags}
`;
}

export const RESERVE = script('reserve', reserveLua());

/** ARGV: id, by. → cold | added, hold. */
export const EXTEND = script(
  'extend',
  `
local ready, lim, held, settled, record = header(id)
if not ready then return {'cold'} end
if kind(record) ~= 'h' then return {'extended', 0, 0} end
local added = math.min(tonumber(ARGV[2]), positive(lim - held - settled))
local hold = amount(record) + added
if added > 0 then
  redis.call('HSET', key, 'held', write(held + added), id, (string.gsub(record, '^h|%d+', 'h|' .. write(hold))))
end
return {'extended', added, hold}
`,
);

/** ARGV: id, cost, held, 1 if the grant may be less than the hold. → cold | grant. A request without a record is counted, see `AccountHolds.settle`. */
export function settleLua(end: Part = ''): string {
  return `
local ready, lim, held, settled, record = header(id)
if not ready then return {'cold'} end
if kind(record) == 's' then return {'settled', amount(record)} end
${end}local cost, left = tonumber(ARGV[2]), lim - held - settled
local running = kind(record) == 'h'
local had = running and amount(record) or 0
if ARGV[4] ~= '1' then left = positive(left) end
local grant = positive(math.min(cost, running and had + left or math.min(tonumber(ARGV[3]), left)))
if cost == 0 then
  if running then
    redis.call('HDEL', key, id)
    redis.call('HSET', key, 'held', write(held - had))
  end
else
  redis.call('HSET', key, 'held', write(held - had), 'settled', write(settled + grant), id, 's|' .. write(grant) .. '|' .. write(now()))
end
keep()
return {'settled', grant}
`;
}

export const SETTLE = script('settle', settleLua());

/** ARGV: id, tombstone ms. → cold | void. While an account is being opened the tombstone keeps an announced hold out. */
export function voidLua({ first = '', end = '' }: { first?: Part; end?: Part } = {}): string {
  return `${first}
local found = redis.call('HMGET', key, 'e', 'held', id)
if found[1] ~= epoch then return {'cold'} end
local record = found[3]
if kind(record) == 's' then return {'void'} end
${end}local value = 'v|' .. write(now() + tonumber(ARGV[2]))
if kind(record) == 'h' then
  redis.call('HSET', key, 'held', write(tonumber(found[2]) - amount(record)), id, value)
else
  redis.call('HSET', key, id, value)
end
keep()
return {'void'}
`;
}

export const VOID = script('void', voidLua());

/** ARGV: sequence, balance, ids … → cold | posted. While an account is being opened only the balance is kept. */
export const POST = script(
  'post',
  `
local found = redis.call('HMGET', key, 'e', 'p', 'seq', 'held', 'settled')
if found[1] ~= epoch then return {'cold'} end
if tonumber(ARGV[1]) > tonumber(found[3]) then redis.call('HSET', key, 'seq', ARGV[1], 'lim', ARGV[2]) end
local held, settled, gone = tonumber(found[4]), tonumber(found[5]), {}
for index = 3, #ARGV do
  local record = redis.call('HGET', key, ARGV[index])
  local is = kind(record)
  if is == 'h' then held = held - amount(record) elseif is == 's' then settled = settled - amount(record) end
  if is == 'h' or is == 's' then gone[#gone + 1] = ARGV[index] end
end
if #gone > 0 then
  redis.call('HDEL', key, unpack(gone))
  redis.call('HSET', key, 'held', write(held), 'settled', write(settled))
end
keep()
return {'posted'}
`,
);

/**
 * ARGV: lease ms, ids … → cold | the number of holds that were renewed.
 */
export const RENEW = script(
  'renew',
  `
local found = redis.call('HMGET', key, 'e', 'p')
if found[1] ~= epoch or found[2] ~= 'r' then return {'cold'} end
local lease, renewed = write(now() + tonumber(ARGV[1])), 0
for index = 2, #ARGV do
  local record = redis.call('HGET', key, ARGV[index])
  if kind(record) == 'h' then
    redis.call('HSET', key, ARGV[index], (string.gsub(record, '%d+$', lease)))
    renewed = renewed + 1
  end
end
keep()
return {'renewed', renewed}
`,
);

/**
 * ARGV: token, the replica's part of it, ms after which another replica counts as gone. → ready token | busy | begun.
 * What a former epoch left is dropped.
 */
export const BEGIN = script(
  'begin',
  `
local found = redis.call('HMGET', key, 'e', 'p', 't', 'b')
local mine = found[1] == epoch
if mine and found[2] == 'r' then return {'ready', found[3]} end
if mine and string.sub(found[3], 1, #ARGV[2]) ~= ARGV[2] and now() - tonumber(found[4]) < tonumber(ARGV[3]) then return {'busy'} end
if mine and found[3] == ARGV[1] then return {'begun'} end
local tombstones = {}
if mine then
  local all = redis.call('HGETALL', key)
  for index = 2, #all, 2 do
    if string.sub(all[index], 1, 2) == 'v|' then
      tombstones[#tombstones + 1] = all[index - 1]
      tombstones[#tombstones + 1] = all[index]
    end
  end
end
redis.call('DEL', key)
redis.call('HSET', key, 'e', epoch, 'p', 'o', 't', ARGV[1], 'b', write(now()), 'seq', '-1', 'lim', '0', 'held', '0', 'settled', '0')
for index = 1, #tombstones, 2 do redis.call('HSET', key, tombstones[index], tombstones[index + 1]) end
keep()
return {'begun'}
`,
);

/** → cold | ready, sequence, number of records, the server's time (ms). For the sweeper, which reads on only where there are records. */
export const LOOK = script(
  'look',
  `
local found = redis.call('HMGET', key, 'e', 'p', 'seq')
if found[1] ~= epoch or found[2] ~= 'r' then return {'cold'} end
return {'ready', found[3], redis.call('HLEN', key) - 8, write(now())}
`,
);

/** ARGV: token. → seen | apart: whether this server is the one where the opening with that token is or was. */
export const SEE = script(
  'see',
  `
local found = redis.call('HMGET', key, 'e', 't')
return {found[1] == epoch and found[2] == id and 'seen' or 'apart'}
`,
);

/** ARGV: token, lease ms, then per record: id, amount, flags, owner. → lost | announced. */
export const ANNOUNCE = script(
  'announce',
  `
local found = redis.call('HMGET', key, 'e', 'p', 't', 'held')
if found[1] ~= epoch or found[2] ~= 'o' or found[3] ~= ARGV[1] then return {'lost'} end
local held, lease = tonumber(found[4]), write(now() + tonumber(ARGV[2]))
for index = 3, #ARGV, 4 do
  local value = 'h|' .. ARGV[index + 1] .. '|' .. ARGV[index + 2] .. '|' .. ARGV[index + 3] .. '|' .. lease
  if redis.call('HSETNX', key, ARGV[index], value) == 1 then held = held + tonumber(ARGV[index + 1]) end
end
redis.call('HSET', key, 'held', write(held))
return {'announced'}
`,
);

/** ARGV: token, sequence, balance. → lost | ready. A posting that came meanwhile may be newer than what was read. */
export const OPEN = script(
  'open',
  `
local found = redis.call('HMGET', key, 'e', 'p', 't', 'seq')
if found[1] ~= epoch or found[2] ~= 'o' or found[3] ~= ARGV[1] then return {'lost'} end
if tonumber(ARGV[2]) > tonumber(found[4]) then redis.call('HSET', key, 'seq', ARGV[2], 'lim', ARGV[3]) end
redis.call('HSET', key, 'p', 'r')
return {'ready'}
`,
);

/**
 * ARGV: then per record: id, its value as it was seen. Removes what did not change since. → cold | the number removed.
 * A hold becomes a tombstone for the time that is ARGV 1 (ms), a tombstone goes.
 */
export const DROP = script(
  'drop',
  `
local found = redis.call('HMGET', key, 'e', 'held')
if found[1] ~= epoch then return {'cold'} end
local held, dropped, tombstone = tonumber(found[2]), 0, 'v|' .. write(now() + tonumber(ARGV[1]))
for index = 2, #ARGV, 2 do
  local record = redis.call('HGET', key, ARGV[index])
  if record == ARGV[index + 1] then
    if kind(record) == 'h' then
      held = held - amount(record)
      redis.call('HSET', key, 'held', write(held), ARGV[index], tombstone)
      dropped = dropped + 1
    elseif kind(record) == 'v' then
      dropped = dropped + redis.call('HDEL', key, ARGV[index])
    end
  end
end
return {'dropped', dropped}
`,
);
