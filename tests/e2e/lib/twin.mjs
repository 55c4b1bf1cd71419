// Weir and redis-server side by side: every command goes to both, and the replies must agree.

import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { XSETID_TOO_SMALL, isCursor, repliesAgree } from '../differences.mjs';
import { idBefore } from './feeds.mjs';
import { DATABASES } from './generator.mjs';
import { ReplyError, asMap } from './resp.mjs';

const HISTORY_SHOWN = 40;
const SHOWN_MAX = 1200;

const READS = new Set(['xlen', 'xrange', 'xrevrange', 'xread', 'xinfo', 'exists', 'type', 'keys',
    'dbsize', 'scan', 'xpending', 'randomkey', 'object', 'memory', 'ping', 'echo', 'get', 'mget', 'strlen',
    'getrange', 'substr', 'getbit', 'bitcount', 'bitpos', 'lcs', 'ttl', 'pttl', 'expiretime',
    'pexpiretime', 'hget', 'hmget', 'hgetall', 'hkeys', 'hvals', 'hlen', 'hexists', 'hstrlen',
    'hrandfield', 'hscan']);
const TOUCHES_ALL = new Set(['flushdb', 'flushall', 'swapdb', 'select', '(restart)']);

export class Twin {
    constructor(weir, redis, seed) {
        this.servers = { weir, redis };
        this.seed = seed;
        this.history = [];  // { pair, args }
        this.step = 0;
    }

    // The same connections to both: one RESP2, one RESP3.
    async connect() {
        this.pairs = [];
        for (const protocol of [2, 3]) {
            this.pairs.push({
                protocol,
                db: 0,
                weir: await this.servers.weir.connect({ protocol }),
                redis: await this.servers.redis.connect({ protocol }),
            });
        }
    }

    // Stops Weir with `signal` and starts it again; redis-server goes on.
    async restart(signal) {
        this.history.push({ pair: 0, args: ['(restart)', signal] });
        await this.servers.weir.restart(signal);
        for (const pair of this.pairs) {
            pair.weir.destroy();
            pair.weir = await this.servers.weir.connect({ protocol: pair.protocol });
            await pair.weir.ok('SELECT', String(pair.db));
        }
    }

    // Runs one command on connection `index` of both; returns redis-server's reply.
    async run(index, args) {
        const pair = this.pairs[index];
        this.step++;
        const name = args[0].toLowerCase();
        if (!READS.has(name)) this.history.push({ pair: index, args });
        let weir, redis;
        try {
            if (name === 'xsetid') {
                weir = await pair.weir.exchange(args);
                if (weir.value.message === XSETID_TOO_SMALL) return this.xsetidRefused(index, args);
                redis = await pair.redis.exchange(args);
            } else if (name === 'xadd') {
                weir = await pair.weir.exchange(args);
                redis = await pair.redis.exchange(withServersId(args, weir.value));
            } else {
                [weir, redis] = await Promise.all(
                    [pair.weir.exchange(args), pair.redis.exchange(args)]);
            }
        } catch (error) {
            assert.fail(`${error.message}\n${this.story(index, args)}`);
        }
        if (!repliesAgree(args, weir, redis)) {
            assert.fail(`replies differ\n${this.story(index, args)}\n` +
                showBoth(weir.raw, redis.raw));
        }
        if (name === 'select' && redis.value === 'OK') pair.db = Number(args[1]);
        await this.follow(index, args, weir.value, redis.value);
        return redis.value;
    }

    // Each server gets its own dump of `from` back, as `to`. Their dumps are their own.
    async dumpAndRestore(index, { from, to, ttl, options }) {
        const pair = this.pairs[index];
        const [weirs, rediss] = await Promise.all(
            [pair.weir, pair.redis].map((connection) => connection.call('DUMP', from)));
        if (weirs instanceof ReplyError) return;  // of a feed
        this.equal(weirs === null, rediss === null, 'which dump is null', index, ['DUMP', from]);
        if (weirs === null) return;
        const args = ['RESTORE', to, ttl, `(dump of ${from})`, ...options];
        this.step++;
        this.history.push({ pair: index, args });
        const [weir, redis] = await Promise.all([[pair.weir, weirs], [pair.redis, rediss]].map(
            ([connection, dump]) => connection.exchange(args.with(3, dump))));
        this.equal(weir.raw.toString('latin1'), redis.raw.toString('latin1'), 'replies differ',
            index, args);
    }

    // What a command that cannot be compared at once needs behind it.
    async follow(index, args, weir, redis) {
        if (redis instanceof ReplyError) return;
        const name = args[0].toLowerCase();
        if (name === 'scan' && isCursor(args[1])) await this.wholeScan(index, args, 1);
        else if (name === 'hscan' && isCursor(args[2])) await this.wholeScan(index, args, 2);
        else if (name === 'randomkey') await this.randomKey(index, weir);
        else if (name === 'hrandfield' && args.length > 2) await this.randomFields(index, args, weir);
        else if (args.includes('~')) await this.trimExactly(index, args);
    }

    // Weir refused with XSETID_TOO_SMALL: is that true by what redis-server holds?
    async xsetidRefused(index, args) {
        const info = await this.pairs[index].redis.call('XINFO', 'STREAM', args[1]);
        const [, ms, sequence] = /(\d+)-?(\d*)/.exec(args[2]);
        const id = `${ms}-${sequence || 0}`;
        // The greatest deleted id that is told may have been lowered with MAXDELETEDID.
        assert.ok(['max-deleted-entry-id', 'last-generated-id'].some(
            (field) => idBefore(id, asMap(info).get(field))),
            `wrongly refused\n${this.story(index, args)}`);
    }

    // All that an iteration gives; argument `at` is its cursor.
    async wholeScan(index, args, at) {
        const pair = this.pairs[index];
        const [weir, redis] = await Promise.all(
            [scanAll(pair.weir, args, at), scanAll(pair.redis, args, at)]);
        this.equal([...weir].sort(), [...redis].sort(), `whole ${args.join(' ')}`, index, args);
    }

    async randomKey(index, key) {
        if (key === null) return;
        const found = await this.pairs[index].redis.call('EXISTS', key);
        this.equal(found, 1, 'RANDOMKEY gave a key that is none', index, ['RANDOMKEY']);
    }

    // What HRANDFIELD gave are fields with their values; as many is compared with the reply.
    async randomFields(index, args, found) {
        const all = asMap(await this.pairs[index].redis.call('HGETALL', args[1]));
        const fields = args.length === 3 ? found.map((field) => [field, all.get(field)])
            : Array.isArray(found[0]) ? found
                : found.flatMap((field, i) => (i % 2 === 0 ? [[field, found[i + 1]]] : []));
        for (const [field, value] of fields) {
            this.equal(value, all.get(field), `${field} is no field`, index, args);
        }
        const distinct = new Set(fields.map(([field]) => field)).size === fields.length;
        this.equal(distinct || args[2].startsWith('-'), true, 'a field twice', index, args);
    }

    // After a trimming with `~` the lengths may differ, within its bound; after exact trimming to
    // the same bound they may not.
    async trimExactly(index, args) {
        const { key, kind, threshold } = trimmingOf(args);
        if (kind === undefined) return;
        const pair = this.pairs[index];
        const lengths = await Promise.all(
            [pair.weir.call('XLEN', key), pair.redis.call('XLEN', key)]);
        await Promise.all([pair.weir.call('XTRIM', key, kind, '=', threshold),
            pair.redis.call('XTRIM', key, kind, '=', threshold)]);
        const exact = await Promise.all(
            [pair.weir.call('XLEN', key), pair.redis.call('XLEN', key)]);
        this.equal(exact[0], exact[1], `length after ${kind} = ${threshold}`, index, args);
        assert.ok(lengths[0] >= exact[0], `trimmed too much\n${this.story(index, args)}`);
    }

    // Everything that can be seen in all databases is the same.
    async compareAll() {
        for (const index of this.pairs.keys()) {
            const db = this.pairs[index].db;
            for (let other = 0; other < DATABASES; other++) {
                await this.run(index, ['SELECT', String(other)]);
                await this.run(index, ['DBSIZE']);
                const keys = await this.run(index, ['KEYS', '*']);
                for (const key of keys.sort()) await this.compareKey(index, key);
            }
            await this.run(index, ['SELECT', String(db)]);
        }
    }

    async compareKey(index, key) {
        const type = await this.run(index, ['TYPE', key]);
        await this.run(index, ['PEXPIRETIME', key]);
        if (type === 'stream') await this.compareFeed(index, key);
        if (type === 'string') await this.run(index, ['GET', key]);
        if (type === 'hash') await this.run(index, ['HGETALL', key]);
    }

    async compareFeed(index, key) {
        await this.run(index, ['XINFO', 'STREAM', key]);
        await this.run(index, ['XRANGE', key, '-', '+']);
        await this.compareGroups(index, key);
        await this.run(index, ['XREVRANGE', key, '+', '-', 'COUNT', '20']);
    }

    async compareGroups(index, key) {
        const groups = await this.run(index, ['XINFO', 'GROUPS', key]);
        for (const group of groups) {
            const name = asMap(group).get('name');
            await this.run(index, ['XINFO', 'CONSUMERS', key, name]);
            await this.run(index, ['XPENDING', key, name]);
            await this.run(index, ['XPENDING', key, name, '-', '+', '1000000']);
        }
        if (groups.length) await this.run(index, ['XINFO', 'STREAM', key, 'FULL', 'COUNT', '0']);
    }

    equal(weir, redis, what, index, args) {
        if (isDeepStrictEqual(weir, redis)) return;
        assert.fail(`${what}\n${this.story(index, args)}\n` +
            `weir:  ${JSON.stringify(weir)}\nredis: ${JSON.stringify(redis)}`);
    }

    // For the reader of a failure: the seed, the step, the command, and what its keys saw before.
    story(index, args) {
        const words = new Set(args.slice(1));
        const before = this.history.filter(({ args: past }) => past !== args &&
            (TOUCHES_ALL.has(past[0].toLowerCase()) ||
                past.slice(1, 4).some((word) => words.has(word))));
        const lines = before.slice(-HISTORY_SHOWN).map(({ pair, args: past }) =>
            `    [${this.pairs[pair].protocol}] ${showCommand(past)}`);
        return `WEIR_SEED=${this.seed} step ${this.step}, ` +
            `RESP${this.pairs[index].protocol}, db ${this.pairs[index].db}\n` +
            `before:\n${lines.join('\n')}\ncommand: ${showCommand(args)}`;
    }

    destroy() {
        for (const pair of this.pairs) {
            pair.weir.destroy();
            pair.redis.destroy();
        }
    }
}

// Where XADD's id is, by its own grammar.
function idIndex(args) {
    let i = 2;
    for (;;) {
        const word = args[i]?.toLowerCase();
        if (word === 'nomkstream') i += 1;
        else if (word === 'limit') i += 2;
        else if (word === 'maxlen' || word === 'minid') i += '=~'.includes(args[i + 1]) ? 3 : 2;
        else return i;
    }
}

// An id that Weir's clock made is told to redis-server.
function withServersId(args, reply) {
    const at = idIndex(args);
    if (args[at] !== '*' || typeof reply !== 'string') return args;
    return args.with ? args.with(at, reply) : args.map((arg, i) => (i === at ? reply : arg));
}

function trimmingOf(args) {
    const at = args.findIndex((arg, i) => i > 1 && /^(maxlen|minid)$/i.test(arg) &&
        args[i + 1] === '~');
    if (at < 0) return {};
    return { key: args[1], kind: args[at], threshold: args[at + 2] };
}

async function scanAll(connection, args, at) {
    const pairs = args[0].toLowerCase() === 'hscan';
    const found = new Set();
    let cursor = '0';
    for (let rounds = 0; rounds < 10_000; rounds++) {
        const reply = await connection.ok(...args.slice(0, at), cursor, ...args.slice(at + 1));
        for (let i = 0; i < reply[1].length; i += pairs ? 2 : 1) {
            found.add(pairs ? JSON.stringify(reply[1].slice(i, i + 2)) : reply[1][i]);
        }
        cursor = reply[0];
        if (cursor === '0') return found;
    }
    throw new Error('SCAN does not end');
}

function showCommand(args) {
    return args.map((arg) => JSON.stringify(arg.length > 120 ? `${arg.slice(0, 100)}…` : arg))
        .join(' ');
}

// Two replies, from a little before where they part.
function showBoth(weir, redis) {
    let at = 0;
    while (at < weir.length && weir[at] === redis[at]) at++;
    const from = at < SHOWN_MAX / 2 ? 0 : at - 200;
    return `weir:  ${show(weir, from)}\nredis: ${show(redis, from)}`;
}

function show(raw, from) {
    const text = JSON.stringify(raw.toString('latin1', from, from + SHOWN_MAX));
    return `${from ? `(from ${from}) ` : ''}${text} (${raw.length} bytes)`;
}
