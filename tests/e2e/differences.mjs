// Where Weir's replies are meant to differ from redis-server 7.0.15's, each with its reason. What
// is not listed here must be equal byte for byte.
//
// A row applies to a command by its arguments (name: lower case). `agrees` then judges the two
// replies: { args, weir, redis }, each reply { value, raw }.

import { isDeepStrictEqual } from 'node:util';
import { ReplyError, asMap } from './lib/resp.mjs';

function sameKind(weir, redis) {
    return (weir.value === null) === (redis.value === null) &&
        weir.value instanceof ReplyError === redis.value instanceof ReplyError;
}

function sortedWords(raw) {
    return raw.toString('latin1').split('\r\n').sort();
}

function without(value, names) {
    if (value === null || value instanceof ReplyError) return value;
    return [...asMap(value)].filter(([name]) => !names.includes(name));
}

// A reply with its maps as lists of pairs, without the fields of `names`.
function stripped(value, names) {
    if (!Array.isArray(value) && !(value instanceof Map)) return value;
    const isFields = value instanceof Map || (value.length > 1 && value.length % 2 === 0 &&
        value.every((item, i) => i % 2 === 1 || FIELDS.has(item)));
    if (!isFields) return value.map((item) => stripped(item, names));
    return [...asMap(value)].filter(([name]) => !names.has(name))
        .map(([name, item]) => [name, stripped(item, names)]);
}

const FIELDS = new Set(['length', 'radix-tree-keys', 'radix-tree-nodes', 'last-generated-id',
    'max-deleted-entry-id', 'entries-added', 'recorded-first-entry-id', 'entries', 'groups',
    'first-entry', 'last-entry', 'name', 'consumers', 'pending', 'last-delivered-id',
    'entries-read', 'lag', 'pel-count', 'seen-time', 'active-time', 'idle', 'inactive']);
const RADIX = ['radix-tree-keys', 'radix-tree-nodes'];
const TIMES = ['seen-time', 'active-time', 'idle', 'inactive'];
const COUNTERS = ['entries-read', 'lag'];

// What FULL tells of deliveries has a time as the last but one of its items.
function withoutDeliveryTimes(fields) {
    const untimed = ([name, value]) => (name === 'pending' && Array.isArray(value)
        ? [name, value.map((item) => item.toSpliced(-2, 1))]
        : [name, Array.isArray(value) ? value.map((item) => (Array.isArray(item) &&
            Array.isArray(item[0]) ? item.map(untimed) : item)) : value]);
    return fields.map(untimed);
}

// XSETID below the greatest deleted id is refused with this since Redis 7.2; Redis 7.0 takes it,
// and is therefore not asked. Where MAXDELETEDID has lowered what is told, the greatest id that a
// chunk may hold counts.
export const XSETID_TOO_SMALL =
    'ERR The ID specified in XSETID is smaller than current max_deleted_entry_id';

export function isCursor(text) {
    return /^\d+$/.test(text);
}

export const DIFFERENCES = [
    {
        name: 'XINFO STREAM, the radix tree',
        reason: 'a feed is no radix tree here: only that its two numbers are told is compared',
        applies: (name, args) => name === 'xinfo' && args[1]?.toLowerCase() === 'stream',
        agrees: ({ weir, redis }) => {
            if (redis.value === null || redis.value instanceof ReplyError) {
                return weir.raw.equals(redis.raw);
            }
            const theirs = [...asMap(redis.value).keys()];
            const ours = [...asMap(weir.value).keys()];
            return weir.raw[0] === redis.raw[0] && isDeepStrictEqual(ours, theirs) &&
                isDeepStrictEqual(without(weir.value, RADIX), without(redis.value, RADIX));
        },
    },
    {
        name: 'XINFO STREAM FULL, groups',
        reason: 'times differ by what passes between the replies; active-time is since Redis 7.2; ' +
            'entries-read and lag were mended in 7.2 and 7.4',
        applies: (name, args) => name === 'xinfo' && args[3]?.toLowerCase() === 'full',
        agrees: ({ weir, redis }) => {
            if (weir.value instanceof ReplyError || redis.value instanceof ReplyError) return false;
            const names = new Set([...RADIX, ...TIMES, ...COUNTERS]);
            return isDeepStrictEqual(withoutDeliveryTimes(stripped(weir.value, names)),
                withoutDeliveryTimes(stripped(redis.value, names)));
        },
    },
    {
        name: 'XINFO GROUPS and CONSUMERS',
        reason: 'as with FULL',
        applies: (name, args) => name === 'xinfo' && /^(groups|consumers)$/i.test(args[1] ?? ''),
        agrees: ({ weir, redis }) => Array.isArray(weir.value) && Array.isArray(redis.value) &&
            isDeepStrictEqual(stripped(weir.value, new Set([...TIMES, ...COUNTERS])),
                stripped(redis.value, new Set([...TIMES, ...COUNTERS]))),
    },
    {
        name: 'XPENDING, idle times',
        reason: 'time passes between the two replies',
        applies: (name, args) => name === 'xpending' && args.length > 3,
        agrees: ({ weir, redis }) => Array.isArray(weir.value) && Array.isArray(redis.value) &&
            weir.raw[0] === redis.raw[0] &&
            isDeepStrictEqual(weir.value.map((item) => item.toSpliced(2, 1)),
                redis.value.map((item) => item.toSpliced(2, 1))),
    },
    {
        name: 'XREADGROUP, the text about unbalanced lists',
        reason: 'reworded in Redis 7.2',
        applies: (name) => name === 'xreadgroup',
        agrees: ({ weir, redis }) => redis.raw.toString()
            .replace('Unbalanced XREAD list', "Unbalanced 'xreadgroup' list")
            .replace("or '$' must", "or '>' must") === weir.raw.toString(),
    },
    {
        name: 'XREADGROUP from +',
        reason: 'told apart since Redis 7.4',
        applies: (name, args) => name === 'xreadgroup' && args.includes('+'),
        agrees: ({ weir, redis }) => redis.value instanceof ReplyError &&
            weir.value instanceof ReplyError,
    },
    {
        name: 'MEMORY USAGE',
        reason: 'what a key costs is another number here',
        applies: (name, args) => name === 'memory' && args[1]?.toLowerCase() === 'usage',
        agrees: ({ weir, redis }) => (redis.value > 0
            ? Number.isInteger(weir.value) && weir.value > 0 : weir.raw.equals(redis.raw)),
    },
    {
        name: 'OBJECT IDLETIME',
        reason: 'time passes between the two replies',
        applies: (name, args) => name === 'object' && args[1]?.toLowerCase() === 'idletime',
        agrees: ({ weir, redis }) => (Number.isInteger(redis.value)
            ? Number.isInteger(weir.value) : weir.raw.equals(redis.raw)),
    },
    {
        name: 'times of expiry',
        reason: 'time passes between the two replies, and between setting on the one and the other',
        applies: (name) => ['ttl', 'pttl', 'expiretime', 'pexpiretime'].includes(name),
        agrees: ({ args, weir, redis }) => weir.value > 0 && redis.value > 0 &&
            Math.abs(Number(weir.value) - Number(redis.value)) <= (/^p/i.test(args[0]) ? 2000 : 2),
    },
    {
        name: 'times of expiry in thirty million years',
        reason: 'the last one that can be told here is 2^60 - 1 milliseconds',
        applies: (name) => ['ttl', 'pttl', 'expiretime', 'pexpiretime'].includes(name),
        agrees: ({ weir, redis }) => Number(weir.value) > 1e15 && Number(redis.value) > 1e15,
    },
    {
        name: 'HSCAN, cursors',
        reason: 'they belong to the hash table; whole iterations are compared separately',
        applies: (name) => name === 'hscan',
        agrees: ({ weir, redis }) => Array.isArray(redis.value) && Array.isArray(weir.value) &&
            /^\d+$/.test(weir.value[0]),
    },
    {
        name: 'HRANDFIELD',
        reason: 'which one is chance',
        applies: (name, args) => name === 'hrandfield' && args.length === 2,
        agrees: ({ weir, redis }) => typeof weir.value === 'string' &&
            typeof redis.value === 'string',
    },
    {
        name: 'HRANDFIELD of some',
        reason: 'which ones is chance; that they are fields, and none twice, is checked separately',
        applies: (name, args) => name === 'hrandfield' && args.length > 2,
        agrees: ({ weir, redis }) => Array.isArray(weir.value) && Array.isArray(redis.value) &&
            weir.value.length === redis.value.length && Array.isArray(weir.value[0]) ===
            Array.isArray(redis.value[0]),
    },
    {
        name: 'hashes, the order of fields',
        reason: 'Redis keeps it only as long as a hash is small; here it is kept always',
        applies: (name) => ['hgetall', 'hkeys', 'hvals', 'hrandfield', 'hscan'].includes(name),
        agrees: ({ weir, redis }) => isDeepStrictEqual(sortedWords(weir.raw),
            sortedWords(redis.raw)),
    },
    {
        name: 'values that are too long',
        reason: 'the longest is 256 MB here, whatever proto-max-bulk-len says',
        applies: (name) => name === 'setrange' || name === 'append',
        agrees: ({ weir, redis }) => [weir, redis].every(({ value }) =>
            value?.message?.startsWith('ERR string exceeds maximum allowed size')),
    },
    {
        name: 'OBJECT ENCODING of a hash',
        reason: 'Redis does not go back to its small form when the long fields are gone',
        applies: (name, args) => name === 'object' && args[1]?.toLowerCase() === 'encoding',
        agrees: ({ weir, redis }) => weir.value === 'listpack' && redis.value === 'hashtable',
    },
    {
        name: 'OBJECT ENCODING of a string',
        reason: 'here it is told by the value; that it was edited is forgotten when it leaves memory',
        applies: (name, args) => name === 'object' && args[1]?.toLowerCase() === 'encoding',
        agrees: ({ weir, redis }) => [weir, redis].every(({ value }) =>
            ['int', 'embstr', 'raw'].includes(value)),
    },
    {
        name: 'KEYS, the order',
        reason: 'keys have no order',
        applies: (name) => name === 'keys',
        agrees: ({ weir, redis }) => (Array.isArray(redis.value) && Array.isArray(weir.value)
            ? isDeepStrictEqual([...weir.value].sort(), [...redis.value].sort())
            : weir.raw.equals(redis.raw)),
    },
    {
        name: 'RANDOMKEY',
        reason: 'which one is chance; that it is a key is checked separately',
        applies: (name) => name === 'randomkey',
        agrees: ({ weir, redis }) => sameKind(weir, redis) &&
            (typeof redis.value === 'string' || weir.raw.equals(redis.raw)),
    },
    {
        name: 'SCAN, cursors and order',
        reason: 'they belong to the hash table; whole iterations are compared separately',
        applies: (name) => name === 'scan',
        agrees: ({ weir, redis }) => (Array.isArray(redis.value)
            ? Array.isArray(weir.value) && weir.value.length === 2 && /^\d+$/.test(weir.value[0])
            : weir.raw.equals(redis.raw)),
    },
    {
        name: 'SCAN, cursors that are no numbers',
        reason: 'Redis 7.0 takes an empty one for 0 and wraps negative ones around',
        applies: (name, args) => (name === 'scan' && args.length > 1 && !isCursor(args[1])) ||
            (name === 'hscan' && args.length > 2 && !isCursor(args[2])),
        agrees: ({ weir }) => weir.raw.toString() === '-ERR invalid cursor\r\n',
    },
    {
        name: 'approximate trimming',
        reason: 'a `~` trims whole nodes there and whole chunks here; lengths are checked ' +
            'against the bound, then both are trimmed exactly',
        applies: (name, args) => name === 'xtrim' && args.includes('~'),
        agrees: ({ weir, redis }) => (Number.isInteger(redis.value)
            ? Number.isInteger(weir.value) : weir.raw.equals(redis.raw)),
    },
    {
        name: 'XADD, no id left in a millisecond',
        reason: 'Redis 7.0 chooses its words by an error number that it forgot to set',
        applies: (name) => name === 'xadd',
        agrees: ({ weir, redis }) => redis.value?.message ===
            'ERR Elements are too large to be stored' && weir.value?.message ===
            'ERR The ID specified in XADD is equal or smaller than the target stream top item',
    },
    {
        name: 'XREAD from +',
        reason: 'since Redis 7.4; 7.0 refuses it, and does not look at the ids behind it',
        applies: (name, args) => name === 'xread' && args.includes('+'),
        agrees: ({ redis }) => redis.value?.message ===
            'ERR Invalid stream ID specified as stream command argument',
    },
    {
        name: 'XREAD, the text about unbalanced lists',
        reason: 'reworded in Redis 7.2',
        applies: (name) => name === 'xread',
        agrees: ({ weir, redis }) => redis.raw.toString()
            .replace('Unbalanced XREAD list', "Unbalanced 'xread' list") === weir.raw.toString(),
    },
];

// Malformed input, by the test's name for it, that Weir answers in a way of its own.
export const PROTOCOL_DIFFERENCES = {
    'an array length at 31 bits': {
        reason: 'memory is bounded: a command has at most 1,048,576 arguments',
        weir: { reply: '-ERR Protocol error: invalid multibulk length\r\n', closed: true },
    },
    'an inline with a null byte': {
        reason: 'Redis never sees the end of such a line; here the null byte ends its words',
        weir: { reply: '$1\r\na\r\n', closed: false },
    },
};

// True when the replies are as they should be.
export function repliesAgree(args, weir, redis) {
    if (weir.raw.equals(redis.raw)) return true;
    const name = args[0].toLowerCase();
    const rows = DIFFERENCES.filter((row) => row.applies(name, args));
    return rows.some((row) => row.agrees({ args, weir, redis }));
}
