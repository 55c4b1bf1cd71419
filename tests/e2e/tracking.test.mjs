// CLIENT TRACKING: beside redis-server, at its limit, on cold data.

import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { delay } from './lib/connection.mjs';
import { KeyGenerator } from './lib/key_generator.mjs';
import { Random, seedOfRun } from './lib/random.mjs';
import { ONLY_WEIR, QUICK, redis, smallMemory, weir } from './lib/server.mjs';
import { until } from './lib/waiting.mjs';

const STEPS = QUICK ? 500 : 1500;
const KEYS = ['a', 'ab', 'abc', 'b', 'c', 'a*', '['];
const ROUNDS = QUICK ? 10 : 40;
const HISTORY_SHOWN = 40;

// The keys that pushes name, in their order; null for all keys.
function keysTold(pushes) {
    return pushes.flatMap(([kind, keys]) => (kind === 'invalidate' ? keys : [kind]));
}

// What a server's clients hear by now: a PING to each brings what is on its way.
async function heard(connections) {
    for (const connection of connections) await connection.ok('PING');
    const pushes = connections.map((connection) => keysTold(connection.pushes));
    for (const connection of connections) connection.pushes = [];
    return pushes;
}

// Connections to Weir and to redis-server, told the same things.
class Pairs {
    static async open(t, count, protocol = 3) {
        const servers = [await weir(t, { args: ['--appendfsync', 'no'] }), await redis(t)];
        const pairs = new Pairs();
        pairs.history = [];
        pairs.sides = await Promise.all(servers.map((server) => Promise.all(
            Array.from({ length: count }, () => server.connect({ protocol })))));
        t.after(() => pairs.sides.flat().forEach((connection) => connection.destroy()));
        return pairs;
    }

    story() {
        return this.history.slice(-HISTORY_SHOWN).join('\n');
    }

    async run(index, ...args) {
        this.history.push(`[${index}] ${args.join(' ')}`);
        const [weirs, rediss] = await Promise.all(
            this.sides.map((side) => side[index].exchange(args)));
        assert.equal(weirs.raw.toString('latin1'), rediss.raw.toString('latin1'), this.story());
        return rediss.value;
    }

    // Broadcasts of one turn of the loop are one message there and several here: the sets of keys
    // are compared.
    async compareHeard() {
        await delay(1);
        const [weirs, rediss] = await Promise.all(this.sides.map(heard));
        const sets = (all) => all.map((keys) => [...new Set(keys)].sort());
        assert.deepEqual(sets(weirs), sets(rediss), this.story());
    }
}

describe('beside redis-server', () => {
    test('what may be asked for, and what may not', async (t) => {
        const pairs = await Pairs.open(t, 1);
        const lines = ['CLIENT TRACKING', 'CLIENT TRACKING x', 'CLIENT TRACKING ON REDIRECT',
            'CLIENT TRACKING ON REDIRECT x', 'CLIENT TRACKING ON REDIRECT 99999',
            'CLIENT TRACKING ON REDIRECT 0', 'CLIENT TRACKING ON PREFIX a',
            'CLIENT TRACKING ON OPTIN OPTOUT', 'CLIENT TRACKING ON BCAST OPTIN',
            'CLIENT TRACKING ON BCAST PREFIX aa PREFIX a', 'CLIENT TRACKING OFF x',
            'CLIENT CACHING YES', 'CLIENT CACHING x', 'CLIENT GETREDIR', 'CLIENT TRACKINGINFO',
            'CLIENT TRACKING ON OPTIN', 'CLIENT CACHING NO', 'CLIENT CACHING x',
            'CLIENT TRACKINGINFO', 'CLIENT CACHING YES', 'CLIENT TRACKINGINFO', 'PING',
            'CLIENT TRACKINGINFO', 'CLIENT GETREDIR', 'CLIENT TRACKING ON OPTOUT',
            'CLIENT TRACKING ON BCAST', 'CLIENT TRACKING ON', 'CLIENT TRACKING ON OPTOUT',
            'CLIENT CACHING YES', 'CLIENT CACHING NO', 'CLIENT TRACKINGINFO',
            'CLIENT TRACKING OFF', 'CLIENT TRACKING ON BCAST PREFIX foo NOLOOP',
            'CLIENT TRACKINGINFO', 'CLIENT TRACKING ON BCAST PREFIX fo',
            'CLIENT TRACKING ON BCAST PREFIX foo', 'CLIENT TRACKING ON BCAST PREFIX b*',
            'CLIENT TRACKINGINFO', 'CLIENT TRACKING ON', 'RESET', 'HELLO 3', 'CLIENT TRACKINGINFO'];
        for (const line of lines) {
            if (line === 'HELLO 3') {
                await Promise.all(pairs.sides.map(([side]) => side.ok('HELLO', '3')));
            } else {
                await pairs.run(0, ...line.split(' '));
            }
        }
    });

    test('random commands of clients in all modes', async (t) => {
        const random = new Random(seedOfRun(t));
        const pairs = await Pairs.open(t, 6);
        const modes = [[], ['OPTIN'], ['OPTOUT'], ['NOLOOP'], ['BCAST', 'PREFIX', 'a', 'PREFIX', '['],
            ['BCAST', 'NOLOOP']];
        let id = 0;
        await Promise.all(modes.map((mode, i) => pairs.run(i, 'CLIENT', 'TRACKING', 'ON', ...mode)));
        const key = () => random.pick(KEYS);
        const next = (index) => random.weighted([
            [10, () => ['XADD', key(), `${++id}-1`, 'f', 'v']],
            [10, () => ['XLEN', key()]],
            [5, () => ['XRANGE', key(), '-', '+', 'COUNT', '1']],
            [3, () => ['EXISTS', key(), key(), key()]],
            [3, () => ['XREAD', 'COUNT', '1', 'STREAMS', key(), key(), '0', '0']],
            [3, () => ['TYPE', key()]],
            [3, () => ['DEL', key(), key()]],
            [2, () => ['RENAME', key(), key()]],
            [3, () => ['XTRIM', key(), 'MAXLEN', random.pick(['0', '1', '2'])]],
            [1, () => ['MULTI']],
            [1, () => ['SELECT', String(random.below(2))]],
            [3, () => (index === 1 ? ['CLIENT', 'CACHING', 'YES'] : ['PING'])],
            [3, () => (index === 2 ? ['CLIENT', 'CACHING', 'NO'] : ['PING'])],
            [1, () => ['CLIENT', 'TRACKINGINFO']],
        ])();
        for (let i = 0; i < STEPS; i++) {
            const index = random.below(modes.length);
            const args = next(index);
            await pairs.run(index, ...args);
            if (args[0] === 'MULTI') {
                for (let n = random.below(6); n > 0; n--) {
                    const queued = next(index);
                    if (queued[0] !== 'MULTI') await pairs.run(index, ...queued);
                }
                await pairs.run(index, 'EXEC');
            }
            if (random.chance(0.008)) {
                await pairs.run(0, 'XADD', 'a', `${++id}-1`, 'f', 'v');
                await pairs.run(random.below(modes.length), 'FLUSHALL');
            }
            if (!args.includes('CACHING')) await pairs.compareHeard();
        }
    });

    test('random commands on strings and hashes of both stores', async (t) => {
        const random = new Random(seedOfRun(t));
        const pairs = await Pairs.open(t, 6);
        const modes = [[], ['OPTIN'], ['OPTOUT'], ['NOLOOP'], ['BCAST', 'PREFIX', 'a', 'PREFIX', 'cache:'],
            ['BCAST', 'NOLOOP']];
        await Promise.all(modes.map((mode, i) => pairs.run(i, 'CLIENT', 'TRACKING', 'ON', ...mode)));
        const generator = new KeyGenerator(random);
        for (let i = 0; i < STEPS; i++) {
            const index = random.below(modes.length);
            if (index === 1 && random.chance(0.5)) await pairs.run(index, 'CLIENT', 'CACHING', 'YES');
            const args = generator.nextEven();
            // Redis tells nobody of the one, and of the other also when nothing goes.
            if (args[0] === 'SWAPDB') continue;
            if (args[0] === 'FLUSHDB' && await pairs.run(index, 'DBSIZE') === 0) continue;
            await pairs.run(index, ...args);
            await pairs.compareHeard();
        }
    });

    test('RESP2 clients hear through another connection', async (t) => {
        const pairs = await Pairs.open(t, 3, 2);
        const [reader, listener, writer] = [0, 1, 2];
        const next = async () => {
            const [weirs, rediss] = await Promise.all(
                pairs.sides.map((side) => side[listener].next()));
            assert.equal(weirs.raw.toString('latin1'), rediss.raw.toString('latin1'));
            return rediss.value;
        };
        await Promise.all(pairs.sides.map(async (side) => {
            const id = await side[listener].ok('CLIENT', 'ID');
            await side[reader].ok('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id));
            assert.equal(await side[reader].ok('CLIENT', 'GETREDIR'), id);
        }));
        await pairs.run(reader, 'XLEN', 'k');
        await pairs.run(writer, 'XADD', 'k', '1-1', 'f', 'v'); // nobody listens
        await pairs.run(listener, 'SUBSCRIBE', '__redis__:invalidate');
        await pairs.run(reader, 'XLEN', 'k');
        await pairs.run(writer, 'XADD', 'k', '2-1', 'f', 'v');
        assert.deepEqual(await next(), ['message', '__redis__:invalidate', ['k']]);
        await pairs.run(writer, 'FLUSHALL');
        assert.deepEqual(await next(), ['message', '__redis__:invalidate', null]);
        await Promise.all(pairs.sides.map((side) => side[listener].ok('RESET')));
        await pairs.run(reader, 'XLEN', 'k');
        await pairs.run(writer, 'XADD', 'k', '3-1', 'f', 'v');
    });

    test('a client learns that its redirection is broken', async (t) => {
        const pairs = await Pairs.open(t, 3);
        await Promise.all(pairs.sides.map(async (side) => {
            const id = await side[1].ok('CLIENT', 'ID');
            await side[0].ok('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id));
            await side[0].ok('XLEN', 'k');
            side[1].destroy();
            await until(async () => await side[2].ok('CLIENT', 'LIST', 'ID', String(id)) === '');
            await side[2].ok('XADD', 'k', '1-1', 'f', 'v');
            await side[0].ok('PING');
            assert.deepEqual(side[0].pushes, [['tracking-redir-broken', id]]);
            const info = await side[0].ok('CLIENT', 'TRACKINGINFO');
            assert.match(JSON.stringify([...info]), /broken_redirect/);
            assert.match(String(await side[0].ok('CLIENT', 'INFO')), / flags=tR /);
        }));
    });
});

test('INFO and CLIENT LIST tell who tracks what', ONLY_WEIR, async (t) => {
    const server = await weir(t);
    const [one, two] = await Promise.all([server.connect(), server.connect({ protocol: 3 })]);
    t.after(() => [one, two].forEach((each) => each.destroy()));
    await one.ok('CLIENT', 'TRACKING', 'ON');
    await two.ok('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'a', 'PREFIX', 'b');
    await one.ok('EXISTS', 'x', 'y', 'z');
    const info = String(await one.ok('INFO'));
    for (const line of ['tracking_clients:2', 'tracking_total_keys:3', 'tracking_total_items:3',
        'tracking_total_prefixes:2']) {
        assert.ok(info.includes(`${line}\r\n`), line);
    }
    assert.match(String(await one.ok('CLIENT', 'INFO')), / flags=t .* redir=0 /);
    assert.match(String(await two.ok('CLIENT', 'INFO')), / flags=tB .* redir=0 /);
    await two.ok('RESET');
    one.destroy();
    await until(async () => /tracking_clients:0\r\n[^]*tracking_total_keys:0\r\n/.test(
        await two.ok('INFO')));
});

// What rueidis sends for cached reads (https://github.com/redis/rueidis), and jedis for its cache.
test('the cached reads of rueidis and jedis are told of changes, once', async (t) => {
    const pairs = await Pairs.open(t, 3);
    const [rueidis, jedis, writer] = [0, 1, 2];
    await pairs.run(rueidis, 'CLIENT', 'TRACKING', 'ON', 'OPTIN');
    await pairs.run(jedis, 'CLIENT', 'TRACKING', 'ON');
    await pairs.run(writer, 'MSET', 'a', '1', 'ab', '2', 'abc', '3');
    await pairs.run(writer, 'HSET', 'b', 'f', 'v');
    const cached = async (reads) => {
        for (const command of [['CLIENT', 'CACHING', 'YES'], ['MULTI'], ...reads, ['EXEC']]) {
            await pairs.run(rueidis, ...command);
        }
    };
    await cached([['PTTL', 'a'], ['GET', 'a']]);
    await cached([['PTTL', 'ab'], ['PTTL', 'abc'], ['MGET', 'ab', 'abc']]);
    await cached([['PTTL', 'b'], ['HGETALL', 'b']]);
    await pairs.run(rueidis, 'GET', 'c');
    for (const line of ['GET a', 'MGET ab abc', 'HGET b f', 'EXISTS c']) {
        await pairs.run(jedis, ...line.split(' '));
    }
    for (const line of ['SET a 2', 'SET a 3', 'DEL abc', 'HDEL b f', 'SET c v', 'PEXPIRE ab 100000',
        'FLUSHALL']) {
        await pairs.run(writer, ...line.split(' '));
        await pairs.compareHeard();
    }
});

test('more keys than the table may have: some are given up, and told', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: ['--tracking-table-max-keys', '100'] });
    const client = await server.connect({ protocol: 3 });
    t.after(() => client.destroy());
    await client.ok('CLIENT', 'TRACKING', 'ON');
    const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`);
    await client.pipeline(keys.map((key) => ['XLEN', key]));
    const [told] = await heard([client]);
    assert.equal(told.length, 900);
    assert.equal(new Set(told).size, 900);
    const kept = keys.filter((key) => !told.includes(key));
    await client.pipeline(keys.map((key) => ['XADD', key, '1-1', 'f', 'v']));
    assert.deepEqual((await heard([client]))[0].sort(), kept.sort());
    assert.match(String(await client.ok('INFO')), /tracking_total_keys:0\r\n/);
});

test('a client has so many prefixes and no more', ONLY_WEIR, async (t) => {
    const server = await weir(t);
    const client = await server.connect({ protocol: 3 });
    t.after(() => client.destroy());
    const broadcast = (...prefixes) => client.call('CLIENT', 'TRACKING', 'ON', 'BCAST',
        ...prefixes.flatMap((prefix) => ['PREFIX', prefix]));
    const names = Array.from({ length: 1001 }, (_, i) => `prefix:${i}:`);
    const refusal = 'ERR more than 1000 prefixes of one client';
    assert.equal((await broadcast(...names)).message, refusal);
    assert.equal(await broadcast(...names.slice(0, 999)), 'OK');
    assert.equal(await broadcast(names[999]), 'OK');
    assert.equal((await broadcast(names[1000])).message, refusal);
    assert.match(String(await client.ok('INFO')), /tracking_total_prefixes:1000\r\n/);
});

// A client that caches lengths, in the very order in which replies and pushes come.
function cachingReader(reader) {
    const cache = new Map();
    const asked = [];
    const onReply = reader.onReply.bind(reader);
    reader.onReply = (reply) => {
        if (reply.push) for (const key of reply.value[1]) cache.delete(key);
        else if (asked.length) cache.set(asked.shift(), reply.value.length);
        onReply(reply);
    };
    return { cache, asked };
}

test('a cache that listens is never stale, on cold data and through folds', ONLY_WEIR, async (t) => {
    const server = await weir(t, { args: ['--appendfsync', 'no', ...smallMemory('1mb')] });
    const random = new Random(seedOfRun(t));
    const [reader, writer] = await Promise.all(
        [server.connect({ protocol: 3 }), server.connect({ protocol: 3 })]);
    t.after(() => [reader, writer].forEach((each) => each.destroy()));
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    const { cache, asked } = cachingReader(reader);
    await reader.ok('CLIENT', 'TRACKING', 'ON');
    let end;
    const write = async () => {
        while (Date.now() < end) {
            await writer.pipeline(Array.from({ length: 5 }, () => random.weighted([
                [90, () => ['XADD', random.pick(keys), '*', 'f', 'x'.repeat(random.below(20_000))]],
                [5, () => ['XTRIM', random.pick(keys), 'MAXLEN', '5']],
                [5, () => ['DEL', random.pick(keys)]],
            ])()));
        }
    };
    const read = async () => {
        while (Date.now() < end) {
            const some = Array.from({ length: 3 }, () => random.pick(keys));
            asked.push(...some);
            await reader.pipeline(some.map((key) => ['XRANGE', key, '-', '+']));
        }
    };
    let checked = 0;
    for (let round = 0; round < ROUNDS; round++) {
        end = Date.now() + 60;
        await Promise.all([write(), read()]);
        await reader.ok('PING');
        for (const [key, length] of cache) {
            assert.equal(await writer.ok('XLEN', key), length, `${key}, round ${round}`);
            checked++;
        }
    }
    assert.ok(checked > ROUNDS);
});
